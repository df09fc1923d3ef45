/* A small network run on one face, a convolution at a time, with weights of a byte each.
   The page brings the weights; ferutils/records/face.py says what they are. */
"use strict";

{
  const SIDE = 48; // pixels of what the network takes

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  /** A layer with its weights as numbers. */
  const decoded = ({ shape, stride, kernel, scale, bias }) => ({
    shape,
    stride,
    kernel: Float32Array.from(new Int8Array(bytes(kernel).buffer)),
    scale: new Float32Array(bytes(scale).buffer),
    bias: new Float32Array(bytes(bias).buffer),
  });

  /** A convolution, padded with zeros as Keras' "same"; maps lie side by side for each pixel. */
  function convolved(from, { shape, stride, kernel, scale, bias }) {
    const [size, , maps, outputs] = shape;
    const side = Math.ceil(from.side / stride);
    const before = Math.max((side - 1) * stride + size - from.side, 0) >> 1;
    const values = new Float32Array(side * side * outputs);
    const sums = new Float64Array(outputs);
    for (let pixel = 0; pixel < side * side; pixel += 1) {
      const top = Math.floor(pixel / side) * stride - before;
      const left = (pixel % side) * stride - before;
      sums.fill(0);
      for (let place = 0; place < size * size; place += 1) {
        const row = top + Math.floor(place / size);
        const column = left + (place % size);
        if (row < 0 || row >= from.side || column < 0 || column >= from.side) continue;
        const start = (row * from.side + column) * maps;
        for (let map = 0; map < maps; map += 1) {
          const value = from.values[start + map];
          if (value === 0) continue; // as half of them are behind a ReLU
          const weights = (place * maps + map) * outputs;
          for (let to = 0; to < outputs; to += 1) sums[to] += value * kernel[weights + to];
        }
      }
      for (let to = 0; to < outputs; to += 1) {
        values[pixel * outputs + to] = sums[to] * scale[to] + bias[to];
      }
    }
    return { side, values };
  }

  const positive = ({ side, values }) => ({ side, values: values.map((one) => Math.max(one, 0)) });

  /** The mean of each map. */
  function means({ side, values }) {
    const found = new Float32Array(values.length / (side * side));
    values.forEach((value, at) => (found[at % found.length] += value / (side * side)));
    return { side: 1, values: found };
  }

  function softmax(logits) {
    const most = Math.max(...logits);
    const parts = Array.from(logits, (one) => Math.exp(one - most));
    const all = parts.reduce((total, part) => total + part, 0);
    return parts.map((part) => part / all);
  }

  /** A network as a function: 48 x 48 grey levels 0..255 -> the probability of each emotion. */
  report.network = ({ stem, blocks, logits }) => {
    const first = decoded(stem);
    const last = decoded(logits);
    const middle = blocks.map((block) => ({
      first: decoded(block.first),
      second: decoded(block.second),
      beside: block.beside && decoded(block.beside),
    }));
    return (grey) => {
      let maps = positive(convolved({ side: SIDE, values: grey }, first));
      for (const block of middle) {
        const beside = block.beside ? convolved(maps, block.beside).values : maps.values;
        maps = convolved(positive(convolved(maps, block.first)), block.second);
        maps.values.forEach((value, at) => (maps.values[at] = Math.max(value + beside[at], 0)));
      }
      return softmax(convolved(means(maps), last).values);
    };
  };

  /** A picture of a canvas in grey levels, as Pillow makes them. */
  report.grey = ({ width, height, data }) => {
    const values = new Uint8Array(width * height);
    for (let at = 0; at < values.length; at += 1) {
      const [red, green, blue] = data.subarray(4 * at, 4 * at + 3);
      values[at] = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
    }
    return { width, height, values };
  };

  /** How much of each pixel lies in each of 48 equal parts of a line: [first pixel, shares]. */
  function parts(start, length) {
    const step = length / SIDE;
    return Array.from({ length: SIDE }, (_, at) => {
      const [low, high] = [start + at * step, start + (at + 1) * step];
      const first = Math.floor(low);
      const shares = [];
      for (let pixel = first; pixel < high; pixel += 1) {
        shares.push((Math.min(high, pixel + 1) - Math.max(low, pixel)) / step);
      }
      return [first, shares];
    });
  }

  /** A square of a grey picture as 48 x 48 grey levels, each the mean of its area. */
  report.crop = ({ width, height, values }, { left, top, side }) => {
    const columns = parts(left, side);
    const at = (row, column) =>
      values[Math.min(row, height - 1) * width + Math.min(column, width - 1)];
    const found = new Float32Array(SIDE * SIDE);
    parts(top, side).forEach(([firstRow, heights], row) => {
      columns.forEach(([firstColumn, widths], column) => {
        let sum = 0;
        heights.forEach((high, down) => {
          widths.forEach((wide, across) => {
            sum += high * wide * at(firstRow + down, firstColumn + across);
          });
        });
        found[row * SIDE + column] = Math.round(sum);
      });
    });
    return found;
  };

  /** By how much a probability drops where a grey square covers a part, by row and column.
      Waits after each row of squares, for the page to go on; stops where `goOn` says no. */
  report.covered = async (network, grey, label, { square, step }, goOn) => {
    const mean = Math.round(grey.reduce((sum, one) => sum + one, 0) / grey.length);
    const whole = network(grey)[label];
    const drops = [];
    for (let top = 0; top + square <= SIDE; top += step) {
      await new Promise((resume) => setTimeout(resume));
      if (!goOn(drops.length)) return null;
      const row = [];
      for (let left = 0; left + square <= SIDE; left += step) {
        const changed = Float32Array.from(grey);
        for (let down = top; down < top + square; down += 1) {
          changed.fill(mean, down * SIDE + left, down * SIDE + left + square);
        }
        row.push(whole - network(changed)[label]);
      }
      drops.push(row);
    }
    return drops;
  };
}
