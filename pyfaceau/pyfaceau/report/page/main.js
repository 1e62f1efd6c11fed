// Brings the parts together.
const byId = (id) => document.getElementById(id);

function isTyping(target) {
  return target instanceof Element && target.closest("select, input, button, a, summary, textarea, [role=slider]");
}

class Report {
  constructor(data, faces, events) {
    this.data = data;
    this.allEvents = events;
    this.faces = faces;
    this.face = faces[0];
    const last = Math.max(...faces.map((face) => (face.rows ? face.seconds(face.rows - 1) : 0)));
    this.duration = last + data.interval;
    this.stage = byId("stage");
    this.video = byId("video");
    const overlay = byId("overlay");
    this.picture = this.stage ? new Picture(overlay, this.pictureSize(), data.camera, data.units) : null;
    this.tracks = new Tracks(byId("tracks"), data.units, this.duration, (time) => this.seekTime(time));
    this.tracks.every = this.usualStep();
    this.clock = new Clock(this.video, this.duration, () => this.update());
    if (this.stage) this.stage.style.aspectRatio = `${this.pictureSize()[0]} / ${this.pictureSize()[1]}`;
    this.controls();
    this.keys();
    this.use(this.face);
    if (this.video) this.watchVideo();
    if (this.stage) new ResizeObserver(() => this.update()).observe(this.stage);
    // Canvases follow the width of the paper.
    for (const name of ["beforeprint", "afterprint"]) window.addEventListener(name, () => this.tracks.draw());
  }

  // Of the file, as it is played; the analysed frames may have been turned.
  pictureSize() {
    const [width, height] = this.data.size;
    const turned = this.faces.some((face) => face.shapes && face.shapes.turned % 180);
    return turned ? [height, width] : [width, height];
  }

  usualStep() {
    const frames = this.face.frames;
    let least = Infinity;
    for (let i = 1; i < Math.min(frames.length, 1000); i++) {
      if (frames[i] > frames[i - 1]) least = Math.min(least, frames[i] - frames[i - 1]);
    }
    return Number.isFinite(least) ? least : 1;
  }

  watchVideo() {
    const fail = () => {
      if (!this.clock.video) return;
      this.clock.loseVideo();
      this.video.hidden = true;
      byId("unplayable").hidden = false;
    };
    this.video.addEventListener("error", fail);
    if (this.video.error) fail();
    // Of a video whose pictures it cannot decode, a browser plays the sound alone.
    const look = () => this.video.videoWidth === 0 && fail();
    this.video.addEventListener("loadeddata", look);
    if (this.video.readyState > 1) look();
  }

  controls() {
    const on = (id, action) => byId(id) && byId(id).addEventListener("click", action);
    on("play", () => this.clock.toggle());
    on("back", () => this.step(-1));
    on("forward", () => this.step(1));
    on("previous", () => this.toEvent(-1));
    on("next", () => this.toEvent(1));
    on("closer", () => this.zoom(0.5));
    on("wider", () => this.zoom(2));
    on("whole", () => this.zoom(Infinity));
    byId("speed").addEventListener("change", (event) => this.clock.setRate(Number(event.target.value)));
    for (const box of document.querySelectorAll("[data-show]")) {
      box.addEventListener("change", () => this.update());
    }
    const choice = byId("face");
    if (choice) choice.addEventListener("change", () => this.use(this.faces[Number(choice.value)]));
    for (const link of document.querySelectorAll("[data-seek]")) {
      link.addEventListener("click", () => {
        const face = this.faces.find((each) => each.id === Number(link.dataset.face));
        if (face && face !== this.face) this.use(face);
        this.clock.pause();
        this.seekRow(this.face.rowAt(Number(link.dataset.seek)));
        const place = byId("timelines");
        const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
        place.scrollIntoView({ behavior: calm ? "auto" : "smooth" });
      });
    }
    for (const button of document.querySelectorAll("[data-export]")) {
      button.addEventListener("click", () => this.save(button.dataset.export));
    }
  }

  async save(kind) {
    const file = this.data.exports[kind];
    const url = URL.createObjectURL(new Blob([await inflate(file.content)], { type: file.type }));
    const link = document.createElement("a");
    link.href = url;
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }

  keys() {
    const actions = {
      ArrowLeft: (event) => (event.shiftKey ? this.seekTime(this.clock.now - 1) : this.step(-1)),
      ArrowRight: (event) => (event.shiftKey ? this.seekTime(this.clock.now + 1) : this.step(1)),
      PageUp: () => this.toEvent(-1),
      PageDown: () => this.toEvent(1),
      Home: () => this.seekRow(0),
      End: () => this.seekRow(this.face.rows - 1),
      " ": () => this.clock.toggle(),
    };
    const act = (event) => {
      const action = event.ctrlKey || event.metaKey || event.altKey ? null : actions[event.key];
      if (!action) return;
      event.preventDefault();
      event.stopPropagation();
      action(event);
    };
    // The slider takes all of these; elsewhere the page keeps its own keys for scrolling.
    this.tracks.axis.addEventListener("keydown", act);
    document.addEventListener("keydown", (event) => {
      const ours = event.key === " " || event.key === "ArrowLeft" || event.key === "ArrowRight";
      if (ours && !isTyping(event.target) && this.inView()) act(event);
    });
  }

  inView() {
    const box = byId("timelines").getBoundingClientRect();
    return box.bottom > 80 && box.top < window.innerHeight - 80;
  }

  use(face) {
    this.face = face;
    const choice = byId("face");
    if (choice) choice.value = String(this.faces.indexOf(face));
    this.events = this.allEvents.filter((event) => event.face === face.id);
    this.tracks.use(face, this.events);
    this.update();
  }

  seekTime(time) {
    this.clock.seek(time);
  }

  // Into the middle of the frame, so that rounding does not show its neighbour.
  seekRow(row) {
    const place = Math.min(Math.max(row, 0), this.face.rows - 1);
    this.clock.seek(this.face.seconds(place) + 0.5 * this.data.interval);
  }

  step(by) {
    this.clock.pause();
    this.seekRow(this.row() + by);
  }

  toEvent(direction) {
    const row = this.row();
    const places = this.events.map((event) => this.face.rowAt(event.apex));
    const found = direction > 0 ? places.find((place) => place > row) : places.reverse().find((place) => place < row);
    this.clock.pause();
    if (found !== undefined) this.seekRow(found);
  }

  zoom(factor) {
    if (factor === Infinity) [this.tracks.from, this.tracks.to] = [0, this.duration];
    this.tracks.zoom(factor === Infinity ? 1 : factor, this.clock.now);
    this.update();
  }

  row() {
    return this.face.rowAt(this.clock.now);
  }

  update() {
    if (!this.tracks || !this.clock || !this.face.rows) return;
    const { clock, face } = this;
    const row = this.row();
    this.tracks.show(clock.now, row);
    if (this.picture) this.drawPicture();
    const frame = face.frames[row];
    const state = face.tracked[row] ? "" : ", no face";
    byId("time").textContent = `${timeText(face.seconds(row), 3)}  frame ${frame}${state}`;
    const axis = this.tracks.axis;
    axis.setAttribute("aria-valuenow", String(frame));
    axis.setAttribute("aria-valuetext", `${timeText(face.seconds(row))}, frame ${frame}${state}`);
    const play = byId("play");
    play.setAttribute("aria-label", clock.playing ? "Pause" : "Play");
    play.classList.toggle("playing", clock.playing);
  }

  drawPicture() {
    const shown = {};
    for (const box of document.querySelectorAll("[data-show]")) shown[box.dataset.show] = box.checked;
    this.picture.clear();
    this.faces.forEach((face, number) => {
      const row = face.rowAt(this.clock.now);
      const there = Math.abs(face.seconds(row) - this.clock.now) <= (this.tracks.every + 0.5) * this.data.interval;
      if (there) this.picture.face(face, row, number, shown);
    });
    if (shown.units) this.picture.bars(this.face, this.row());
  }
}

async function begin() {
  const data = JSON.parse(byId("data").textContent);
  if (typeof DecompressionStream === "undefined") {
    byId("too-old").hidden = false;
    return;
  }
  const faces = await Promise.all(data.faces.map((face) => Face.from(face, data.units)));
  if (!faces.length || !faces[0].rows) return;
  new Report(data, faces, await unpackEvents(data.events));
  document.documentElement.dataset.ready = "yes";
}

begin();
