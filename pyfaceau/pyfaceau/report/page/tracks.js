// Timelines: one strip a unit, one for the certainty of tracking, and an axis that is a slider.
const INK = "#1f5f8b";
const GREY = "#75808c";
const EVENT = "#b3541e";
const PRESENT = "#2f7d4f";

function timeText(seconds, digits = 2) {
  const whole = Math.max(0, seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = (whole % 60).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

// A step of the axis that people count in.
function niceStep(least) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  return steps.find((step) => step >= least) || 14400;
}

function ready(canvas) {
  const ratio = Math.max(2, window.devicePixelRatio || 1); // paper has more dots than a screen
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

// Lowest and highest byte of [from, to); NONE where there is none.
function bounds(lows, highs, from, to) {
  let low = NONE;
  let high = NONE;
  for (let i = from; i < to; i++) {
    if (highs[i] === NONE) continue;
    if (lows[i] < low) low = lows[i];
    if (high === NONE || highs[i] > high) high = highs[i];
  }
  return [low, high];
}

class Tracks {
  constructor(root, units, duration, seek) {
    this.root = root;
    this.units = units;
    this.duration = duration;
    this.strips = [...root.querySelectorAll("canvas[data-unit]")];
    this.certainty = root.querySelector("canvas[data-certainty]");
    this.axis = root.querySelector("[role=slider]");
    this.head = root.querySelector(".playhead");
    this.values = [...root.querySelectorAll("[data-value]")];
    this.from = 0;
    this.to = duration;
    this.listen(seek);
    new ResizeObserver(() => this.draw()).observe(root);
  }

  use(face, events) {
    this.face = face;
    this.events = this.units.map((_, unit) => events.filter((event) => event.unit === unit));
    this.draw();
  }

  listen(seek) {
    let held = null;
    const move = (event) => {
      const box = held.getBoundingClientRect();
      const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
      seek(this.from + share * (this.to - this.from));
    };
    for (const strip of this.root.querySelectorAll(".strip")) {
      strip.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        held = strip;
        if (event.pointerType !== "touch") strip.setPointerCapture(event.pointerId);
        move(event);
      });
      strip.addEventListener("pointermove", (event) => held === strip && move(event));
      for (const name of ["pointerup", "pointercancel"]) strip.addEventListener(name, () => (held = null));
    }
  }

  zoom(factor, around) {
    const span = Math.min(this.duration, Math.max((this.to - this.from) * factor, Math.min(1, this.duration)));
    this.from = Math.min(Math.max(around - span / 2, 0), this.duration - span);
    this.to = this.from + span;
    this.draw();
  }

  // Keep the playhead in view.
  follow(time) {
    if (time >= this.from && time <= this.to) return;
    this.zoom(1, time + 0.4 * (this.to - this.from));
  }

  x(time, width) {
    return ((time - this.from) / (this.to - this.from)) * width;
  }

  show(time, row) {
    this.follow(time);
    const last = this.strips.length ? this.strips[this.strips.length - 1].parentElement : this.axis;
    this.head.style.top = `${this.axis.offsetTop}px`;
    this.head.style.height = `${last.offsetTop + last.offsetHeight - this.axis.offsetTop}px`;
    this.head.style.left = `${this.axis.offsetLeft + this.x(time, this.axis.clientWidth)}px`;
    this.values.forEach((output, unit) => {
      const value = this.face.value(unit, row);
      const present = this.face.isPresent(unit, row);
      output.textContent = value === null ? (present ? "yes" : "–") : value.toFixed(2);
      output.classList.toggle("present", present);
    });
  }

  draw() {
    if (!this.face || !this.root.clientWidth) return;
    this.drawAxis();
    this.drawCertainty();
    this.strips.forEach((canvas) => this.drawUnit(canvas, Number(canvas.dataset.unit)));
  }

  // Points of the view, [first, last), and how many of them are drawn as one: two a dot of the screen are enough.
  visible(width) {
    const face = this.face;
    const first = Math.max(0, Math.floor(face.rowAt(this.from) / face.width) - 1);
    const last = Math.min(face.points, Math.floor(face.rowAt(this.to) / face.width) + 2);
    const group = Math.max(1, Math.ceil((last - first) / (2 * width)));
    return [Math.floor(first / group) * group, last, group];
  }

  time(point) {
    return this.face.seconds(Math.min(point * this.face.width, this.face.rows - 1));
  }

  drawAxis() {
    const { context, width, height } = ready(this.axis.querySelector("canvas"));
    context.font = "11px ui-sans-serif, system-ui, sans-serif";
    context.fillStyle = "#4a5663";
    context.strokeStyle = "#aab3bc";
    context.textAlign = "center";
    const step = niceStep(((this.to - this.from) * 70) / width);
    context.beginPath();
    for (let time = Math.ceil(this.from / step) * step; time <= this.to + 1e-9; time += step) {
      const x = this.x(time, width);
      context.moveTo(x, height - 5);
      context.lineTo(x, height);
      const text = timeText(time, step < 1 ? 1 : 0);
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.min(Math.max(x, half), width - half), height - 8);
    }
    context.stroke();
  }

  drawCertainty() {
    const { context, width, height } = ready(this.certainty);
    const face = this.face;
    const [first, last, group] = this.visible(width);
    for (let point = first; point < last; point += group) {
      const [byte] = bounds(face.confidence, face.confidence, point, Math.min(point + group, face.points));
      const x = Math.floor(2 * this.x(this.time(point), width)) / 2; // whole dots leave no seams
      const next = point + group < face.points ? this.x(this.time(point + group), width) : width;
      const lost = byte === 0 || byte === NONE;
      context.fillStyle = lost ? "#c0392b" : byte < 75 ? "#e0a030" : byte < 90 ? "#9cc9ae" : "#5da77c";
      context.fillRect(x, lost ? 0 : height * (1 - byte / 100), Math.max(Math.ceil(2 * (next - x)) / 2, 0.5), height);
    }
  }

  drawUnit(canvas, unit) {
    const { context, width, height } = ready(canvas);
    const face = this.face;
    const base = height - 4;
    const y = (byte) => base - (byte / FULL_BYTE) * (base - 3);
    const offset = unit * face.points;
    const [first, last, group] = this.visible(width);
    context.strokeStyle = "#d9dfe5";
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, base + 0.5);
    context.lineTo(width, base + 0.5);
    context.stroke();
    this.drawEvents(context, unit, width, height);
    const hint = this.units[unit].hint;
    if (this.units[unit].measured) {
      const line = new Path2D();
      const area = new Path2D();
      let open = false;
      let left = 0;
      let x = 0;
      for (let point = first; point < last; point += group) {
        const end = offset + Math.min(point + group, face.points);
        const [low, high] = bounds(face.low || face.high, face.high, offset + point, end);
        const gap = high === NONE || (open && this.isGap(point));
        if (gap && open) {
          area.lineTo(x, base);
          area.lineTo(left, base);
          open = false;
        }
        if (high === NONE) continue;
        x = this.x(this.time(point), width);
        const top = y(high);
        if (!open) {
          left = x;
          area.moveTo(x, base);
          line.moveTo(x, top);
        }
        area.lineTo(x, top);
        line.lineTo(x, top);
        if (low < high) line.lineTo(x, y(low));
        open = true;
      }
      if (open) {
        area.lineTo(x, base);
        area.lineTo(left, base);
      }
      context.fillStyle = hint ? "rgba(117,128,140,.14)" : "rgba(31,95,139,.16)";
      context.fill(area);
      context.strokeStyle = hint ? GREY : INK;
      context.lineWidth = 1.2;
      context.lineJoin = "round";
      context.stroke(line);
    }
    context.fillStyle = PRESENT;
    for (let point = first; point < last; point += group) {
      const end = offset + Math.min(point + group, face.points);
      const [, present] = bounds(face.present, face.present, offset + point, end);
      if (present !== 1) continue;
      const x = this.x(this.time(point), width);
      const next = point + group < face.points ? this.x(this.time(point + group), width) : width;
      context.fillRect(x, height - 2.5, Math.max(next - x + 0.2, 0.6), 2.5);
    }
  }

  // Whether frames without a row lie before a point.
  isGap(point) {
    const face = this.face;
    if (!point) return false;
    const frames = face.frames[point * face.width] - face.frames[(point - 1) * face.width];
    return frames > face.width * this.every;
  }

  // Where many fall on one dot, it is drawn once.
  drawEvents(context, unit, width, height) {
    let drawn = -1;
    for (const event of this.events[unit]) {
      if (event.end < this.from || event.onset > this.to) continue;
      const from = Math.max(this.x(event.onset, width), drawn);
      const to = Math.max(this.x(event.end, width), from + 1);
      if (to - drawn < 0.5) continue;
      drawn = to;
      context.fillStyle = "rgba(179,84,30,.1)";
      context.fillRect(from, 0, to - from, height - 4);
      context.fillStyle = EVENT;
      context.fillRect(this.x(event.apex, width) - 0.75, 0, 1.5, 5);
    }
  }
}
