// Undo packing.py: base64 and zlib; then byte planes and differences.
async function inflate(text) {
  const squeezed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([squeezed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function unpack(packed) {
  if (!packed) return null;
  const planes = await inflate(packed.data);
  const count = packed.count;
  const Kind = { u1: Uint8Array, i2: Int16Array, u4: Uint32Array }[packed.type];
  const values = new Kind(count);
  let before = 0;
  for (let i = 0; i < count; i++) {
    let step = 0;
    for (let plane = 0; plane < Kind.BYTES_PER_ELEMENT; plane++) {
      step += planes[plane * count + i] * 2 ** (8 * plane);
    }
    before = (before + step) % 2 ** (8 * Kind.BYTES_PER_ELEMENT);
    values[i] = before; // an Int16Array takes the upper half for negative numbers
  }
  return values;
}

const NONE = 255; // of bytes
const MISSING = -32768; // of 16-bit numbers
const FULL_BYTE = 250;
const FULL = 5; // intensity

class Face {
  static async from(packed, units) {
    const face = new Face();
    face.id = packed.face;
    face.width = packed.width;
    face.units = units.length;
    const names = ["frames", "clock", "tracked", "low", "high", "present", "confidence"];
    const parts = await Promise.all(names.map((name) => unpack(packed[name])));
    names.forEach((name, i) => (face[name] = parts[i]));
    face.rows = face.clock.length;
    face.points = Math.ceil(face.rows / face.width);
    face.shapes = packed.shapes ? await Shapes.from(packed.shapes) : null;
    return face;
  }

  seconds(row) {
    return this.clock[row] * 1e-4;
  }

  // Last row that is not later than `time`.
  rowAt(time) {
    const wanted = time * 1e4 + 0.5;
    let from = 0;
    let to = this.rows - 1;
    while (from < to) {
      const middle = (from + to + 1) >> 1;
      if (this.clock[middle] <= wanted) from = middle;
      else to = middle - 1;
    }
    return from;
  }

  // Intensity of a unit; null where there is none.
  value(unit, row) {
    const byte = this.high[unit * this.points + Math.floor(row / this.width)];
    return byte === NONE || !this.tracked[row] ? null : (byte * FULL) / FULL_BYTE;
  }

  isPresent(unit, row) {
    return this.tracked[row] === 1 && this.present[unit * this.points + Math.floor(row / this.width)] === 1;
  }
}

// Events as objects, by the time of their apex.
async function unpackEvents(packed) {
  const names = ["face", "unit", "onset", "apex", "end"];
  const parts = await Promise.all(names.map((name) => unpack(packed[name])));
  const events = Array.from(parts[0], (face, i) => ({
    face,
    unit: parts[1][i],
    onset: parts[2][i] * 1e-4,
    apex: parts[3][i] * 1e-4,
    end: parts[4][i] * 1e-4,
  }));
  return events.sort((a, b) => a.apex - b.apex);
}

const N_LANDMARKS = 68;

class Shapes {
  static async from(packed) {
    const shapes = new Shapes();
    shapes.places = await unpack(packed.places);
    shapes.step = packed.step;
    shapes.turned = packed.turned;
    shapes.count = shapes.places.length;
    shapes.pose = await unpack(packed.pose);
    shapes.gaze = await unpack(packed.gaze);
    if (packed.landmarks) {
      shapes.modes = packed.landmarks.modes;
      shapes.mean = await unpack(packed.landmarks.mean);
      shapes.directions = await unpack(packed.landmarks.directions);
      shapes.amounts = await unpack(packed.landmarks.amounts);
    }
    return shapes;
  }

  // The shape of a row, or -1; of a thinned recording that of a frame just before.
  at(row) {
    let from = 0;
    let to = this.count - 1;
    while (from < to) {
      const middle = (from + to + 1) >> 1;
      if (this.places[middle] <= row) from = middle;
      else to = middle - 1;
    }
    const behind = row - this.places[from];
    return this.count && behind >= 0 && behind < this.step ? from : -1;
  }

  // 68 points as x0..x67, y0..y67 in px; null where there are none.
  landmarks(shape) {
    if (!this.amounts || this.amounts[shape] === MISSING) return null;
    const points = Float64Array.from(this.mean, (value) => value * 0.25);
    for (let mode = 0; mode < this.modes; mode++) {
      const amount = this.amounts[mode * this.count + shape] * 1e-4;
      const start = mode * 2 * N_LANDMARKS;
      for (let i = 0; i < 2 * N_LANDMARKS; i++) points[i] += amount * this.directions[start + i];
    }
    return points;
  }

  // Translation (mm) and rotation (radians); null where there is none.
  headPose(shape) {
    if (!this.pose || this.pose[shape] === MISSING) return null;
    return Array.from({ length: 6 }, (_, i) => this.pose[i * this.count + shape] * (i < 3 ? 1 : 1e-4));
  }

  // Directions of both eyes; null where there are none.
  gazeOf(shape) {
    if (!this.gaze || this.gaze[shape] === MISSING) return null;
    return Array.from({ length: 6 }, (_, i) => this.gaze[i * this.count + shape] * 1e-4);
  }
}
