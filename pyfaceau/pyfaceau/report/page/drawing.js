// Draws a face and its action units over the picture.
const OUTLINES = [
  [0, 16, false], [17, 21, false], [22, 26, false], [27, 30, false], [31, 35, false],
  [36, 41, true], [42, 47, true], [48, 59, true], [60, 67, true],
];
const FACE_COLOURS = ["#ffd93b", "#6fd3ff", "#8fe388", "#ff9ecb", "#ffb26b", "#c9b6ff"];
const BOX_MM = 200;
const NEAR_MM = 10;
const GAZE_FACES = 0.55; // length of a gaze line in widths of the face

// Corners of the box around a head, px; null if one is behind the camera. output/drawing.py: head_box
function headBox(pose, camera, depth) {
  const [s1, s2, s3] = pose.slice(3).map(Math.sin);
  const [c1, c2, c3] = pose.slice(3).map(Math.cos);
  const turn = [
    [c2 * c3, -c2 * s3, s2],
    [c1 * s3 + c3 * s1 * s2, c1 * c3 - s1 * s2 * s3, -c2 * s1],
    [s1 * s3 - c1 * c3 * s2, c3 * s1 + c1 * s2 * s3, c1 * c2],
  ];
  const corners = [];
  for (let corner = 0; corner < 8; corner++) {
    const side = [corner & 4 ? 0.5 : -0.5, corner & 2 ? 0.5 : -0.5, corner & 1 ? 0.5 : -0.5 * depth];
    const [x, y, z] = turn.map(
      (line, i) => BOX_MM * (line[0] * side[0] + line[1] * side[1] + line[2] * side[2]) + pose[i]
    );
    if (z < NEAR_MM) return null;
    corners.push([(camera[0] * x) / z + camera[2], (camera[1] * y) / z + camera[3]]);
  }
  return corners;
}

class Picture {
  constructor(canvas, size, camera, units) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.size = size;
    this.camera = camera;
    this.units = units;
  }

  clear() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const box = this.canvas.getBoundingClientRect();
    const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.ratio = ratio;
    this.scale = width / this.size[0];
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, width, height);
  }

  // Coordinates are those of the analysed frame, which may have been turned clockwise from the file's.
  face(face, row, number, shown) {
    const shape = face.shapes && face.tracked[row] ? face.shapes.at(row) : -1;
    if (shape < 0) return;
    const context = this.context;
    const [width, height] = this.size;
    const turned = face.shapes.turned;
    context.save();
    context.scale(this.scale, this.scale);
    if (turned === 90) context.transform(0, -1, 1, 0, 0, height);
    if (turned === 180) context.transform(-1, 0, 0, -1, width, height);
    if (turned === 270) context.transform(0, 1, -1, 0, width, 0);
    context.lineJoin = context.lineCap = "round";
    const colour = FACE_COLOURS[number % FACE_COLOURS.length];
    const points = face.shapes.landmarks(shape);
    const pose = face.shapes.headPose(shape);
    if (shown.box && pose) this.box(pose);
    if (points && shown.landmarks) this.landmarks(points, colour);
    if (points && shown.gaze) this.gaze(points, face.shapes.gazeOf(shape));
    context.restore();
  }

  line(width) {
    this.context.lineWidth = (width * this.ratio) / this.scale;
  }

  box(pose) {
    const corners = headBox(pose, this.camera, 0.6);
    if (!corners) return;
    this.context.strokeStyle = "rgba(120,180,255,.75)";
    this.line(1.2);
    this.context.beginPath();
    for (let a = 0; a < 8; a++) {
      for (const bit of [1, 2, 4]) {
        if (a & bit) continue;
        this.context.moveTo(...corners[a]);
        this.context.lineTo(...corners[a | bit]);
      }
    }
    this.context.stroke();
  }

  landmarks(points, colour) {
    const context = this.context;
    const radius = (1.7 * this.ratio) / this.scale;
    context.strokeStyle = colour;
    context.globalAlpha = 0.55;
    this.line(1);
    context.beginPath();
    for (const [first, last, closed] of OUTLINES) {
      for (let i = first; i <= last; i++) {
        const place = [points[i], points[N_LANDMARKS + i]];
        if (i === first) context.moveTo(...place);
        else context.lineTo(...place);
      }
      if (closed) context.lineTo(points[first], points[N_LANDMARKS + first]);
    }
    context.stroke();
    context.globalAlpha = 1;
    context.fillStyle = colour;
    context.beginPath();
    for (let i = 0; i < N_LANDMARKS; i++) {
      context.moveTo(points[i] + radius, points[N_LANDMARKS + i]);
      context.arc(points[i], points[N_LANDMARKS + i], radius, 0, 2 * Math.PI);
    }
    context.fill();
  }

  gaze(points, directions) {
    if (!directions) return;
    const length = GAZE_FACES * Math.hypot(points[16] - points[0], points[84] - points[68]);
    this.context.strokeStyle = "#ff5ad1";
    this.line(2);
    this.context.beginPath();
    [36, 42].forEach((start, eye) => {
      const middle = [0, N_LANDMARKS].map((offset) => {
        let sum = 0;
        for (let i = start; i < start + 6; i++) sum += points[offset + i];
        return sum / 6;
      });
      this.context.moveTo(...middle);
      this.context.lineTo(middle[0] + length * directions[3 * eye], middle[1] + length * directions[3 * eye + 1]);
    });
    this.context.stroke();
  }

  // Bars of the action units at the upper left; on a small picture those that are there only.
  bars(face, row) {
    if (!face.tracked[row]) return;
    const context = this.context;
    const small = this.canvas.width / this.ratio < 420;
    const lines = this.units
      .map((unit, i) => ({ ...unit, value: face.value(i, row), present: face.isPresent(i, row) }))
      .filter((each) => !small || each.present || each.value >= 1);
    if (!lines.length) return;
    const height = Math.min(15, (this.canvas.height / this.ratio - 12) / lines.length);
    context.save();
    context.scale(this.ratio, this.ratio);
    context.fillStyle = "rgba(10,16,24,.62)";
    context.fillRect(6, 6, 122, lines.length * height + 6);
    context.font = `600 ${Math.max(7, height - 4)}px ui-sans-serif, system-ui, sans-serif`;
    context.textBaseline = "middle";
    lines.forEach((each, i) => {
      const middle = 9 + (i + 0.5) * height;
      context.fillStyle = each.present ? "#9bf0b0" : each.hint ? "#a9b2bc" : "#ffffff";
      context.fillText(each.unit, 12, middle);
      if (each.value === null) {
        if (each.present) context.fillText("present", 52, middle);
        return;
      }
      context.fillStyle = "rgba(255,255,255,.18)";
      context.fillRect(52, middle - height / 4, 70, height / 2);
      context.fillStyle = each.present ? "#66d985" : each.hint ? "#a9b2bc" : "#7cc4f2";
      context.fillRect(52, middle - height / 4, (70 * each.value) / FULL, height / 2);
    });
    context.restore();
  }
}
