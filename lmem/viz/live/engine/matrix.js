/* Matrices for the engine: row-major Float32Arrays with their shape, and the few operations that T5 and the memories need.

   Every file of the engine hands one function to `lmemLive.parts`. The page sends the text of these functions to a worker, so
   nothing in them may refer to a name outside of them; what they share hangs on the object `engine`. */
var lmemLive = globalThis.lmemLive || (globalThis.lmemLive = { parts: [], files: {} });

lmemLive.parts.push(function matrices(engine) {
  class Matrix {
    constructor(rows, cols, data) {
      this.rows = rows;
      this.cols = cols;
      this.data = data || new Float32Array(rows * cols);
    }
    row(i) {
      return this.data.subarray(i * this.cols, (i + 1) * this.cols);
    }
    /** Rows from `start` up to `end`, without a copy. */
    slice(start, end) {
      return new Matrix(end - start, this.cols, this.data.subarray(start * this.cols, end * this.cols));
    }
    /** Columns from `start` up to `end`, as a copy. */
    columns(start, end) {
      const out = new Matrix(this.rows, end - start);
      for (let i = 0; i < this.rows; i++) out.row(i).set(this.row(i).subarray(start, end));
      return out;
    }
    pick(indices) {
      const out = new Matrix(indices.length, this.cols);
      indices.forEach((from, to) => out.row(to).set(this.row(from)));
      return out;
    }
    clone() {
      return new Matrix(this.rows, this.cols, this.data.slice());
    }
    get transposed() {
      const out = new Matrix(this.cols, this.rows);
      for (let i = 0; i < this.rows; i++)
        for (let j = 0; j < this.cols; j++) out.data[j * this.rows + i] = this.data[i * this.cols + j];
      return out;
    }
  }

  /** Inner product of `n` numbers of `a` from `i` and of `b` from `j`. Four sums: the processor works on them side by side. */
  function dot(a, i, b, j, n) {
    let s0 = 0, s1 = 0, s2 = 0, s3 = 0, k = 0;
    for (; k + 3 < n; k += 4) {
      s0 += a[i + k] * b[j + k];
      s1 += a[i + k + 1] * b[j + k + 1];
      s2 += a[i + k + 2] * b[j + k + 2];
      s3 += a[i + k + 3] * b[j + k + 3];
    }
    for (; k < n; k++) s0 += a[i + k] * b[j + k];
    return s0 + s1 + s2 + s3;
  }

  /** x W^T + bias, for W as PyTorch's Linear keeps it: x (N, in), W (out, in) -> (N, out). Two rows of x meet two of W at once,
      so that each number that is fetched is used twice. */
  function linear(x, w, bias) {
    const out = new Matrix(x.rows, w.rows), n = w.cols, a = x.data, b = w.data, even = w.rows & ~1;
    let i = 0;
    for (; i + 1 < x.rows; i += 2)
      for (let j = 0; j < even; j += 2) {
        let s00 = 0, s01 = 0, s10 = 0, s11 = 0;
        for (let k = 0, p = i * n, q = p + n, r = j * n, s = r + n; k < n; k++, p++, q++, r++, s++) {
          const x0 = a[p], x1 = a[q], w0 = b[r], w1 = b[s];
          s00 += x0 * w0;
          s01 += x0 * w1;
          s10 += x1 * w0;
          s11 += x1 * w1;
        }
        const at = i * w.rows + j, below = at + w.rows;
        out.data[at] = s00;
        out.data[at + 1] = s01;
        out.data[below] = s10;
        out.data[below + 1] = s11;
      }
    for (let row = 0; row < x.rows; row++) for (let j = row < i ? even : 0; j < w.rows; j++) out.data[row * w.rows + j] = dot(a, row * n, b, j * n, n);
    if (bias) for (let at = 0; at < out.data.length; at++) out.data[at] += bias[at % w.rows];
    return out;
  }

  /** a b: (N, K), (K, M) -> (N, M). */
  function product(a, b) {
    const out = new Matrix(a.rows, b.cols);
    for (let i = 0; i < a.rows; i++) {
      const target = out.row(i);
      for (let k = 0; k < a.cols; k++) {
        const factor = a.data[i * a.cols + k];
        if (factor !== 0) for (let j = 0, at = k * b.cols; j < b.cols; j++) target[j] += factor * b.data[at + j];
      }
    }
    return out;
  }

  function plus(a, b) {
    const out = a.clone();
    for (let i = 0; i < out.data.length; i++) out.data[i] += b.data[i];
    return out;
  }

  function scaled(a, factor) {
    const out = a.clone();
    for (let i = 0; i < out.data.length; i++) out.data[i] *= factor;
    return out;
  }

  /** One matrix under the other. */
  function stacked(...parts) {
    const out = new Matrix(parts.reduce((n, part) => n + part.rows, 0), parts[0].cols);
    let at = 0;
    for (const part of parts) {
      out.data.set(part.data, at);
      at += part.data.length;
    }
    return out;
  }

  /** Softmax of an array of numbers, in place. */
  function softmax(values) {
    let largest = -Infinity, sum = 0;
    for (const value of values) if (value > largest) largest = value;
    for (let i = 0; i < values.length; i++) sum += values[i] = Math.exp(values[i] - largest);
    for (let i = 0; i < values.length; i++) values[i] /= sum;
    return values;
  }

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const relu = (x) => (x > 0 ? x : 0);
  /** GELU by the hyperbolic tangent, as in T5 v1.1. */
  const geluNew = (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
  /** GELU by the error function; its approximation (Abramowitz and Stegun, 7.1.26) errs by 1.5e-7 at most. */
  function gelu(x) {
    const z = Math.abs(x) / Math.SQRT2, t = 1 / (1 + 0.3275911 * z);
    const poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    const erf = 1 - poly * Math.exp(-z * z);
    return 0.5 * x * (1 + (x < 0 ? -erf : erf));
  }

  /** Scale every row to root mean square 1, and by T5's weights if there are any. */
  function rootMeanSquare(x, epsilon, weight) {
    const out = new Matrix(x.rows, x.cols);
    for (let i = 0; i < x.rows; i++) {
      const factor = 1 / Math.sqrt(dot(x.data, i * x.cols, x.data, i * x.cols, x.cols) / x.cols + epsilon);
      for (let j = 0; j < x.cols; j++) out.data[i * x.cols + j] = x.data[i * x.cols + j] * factor * (weight ? weight[j] : 1);
    }
    return out;
  }

  /** Scale every row to length 1. */
  function unitLength(x) {
    const out = x.clone();
    for (let i = 0; i < x.rows; i++) {
      const length = Math.max(Math.sqrt(dot(x.data, i * x.cols, x.data, i * x.cols, x.cols)), 1e-12);
      for (let j = 0; j < x.cols; j++) out.data[i * x.cols + j] /= length;
    }
    return out;
  }

  /** The bytes that are the characters of a text. */
  function bytesOf(text) {
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i) - 64;
    return bytes;
  }

  /** Read a file of `lmem.viz.live.weights`: {name: Float32Array}, with `shapes` beside them.

      "q8" stores one scale for each row of the last axis, then the rows as signed bytes; "f32" stores numbers as they are. */
  function unpack(file) {
    const { buffer } = bytesOf(file.data), weights = {};
    for (const [name, { shape, kind, offset }] of Object.entries(file.tensors)) {
      const count = shape.reduce((a, b) => a * b, 1);
      if (kind === "f32") {
        weights[name] = new Float32Array(buffer.slice(offset, offset + 4 * count));
        continue;
      }
      const cols = shape[shape.length - 1], rows = count / cols, data = new Float32Array(count);
      const scales = new Float32Array(buffer.slice(offset, offset + 4 * rows));
      const whole = new Int8Array(buffer, offset + 4 * rows, count);
      for (let i = 0; i < rows; i++) for (let j = i * cols; j < (i + 1) * cols; j++) data[j] = whole[j] * scales[i];
      weights[name] = data;
    }
    /** A weight as a matrix; of several sets (S, in, out) the one of this number. */
    const matrix = (name, set = 0) => {
      const shape = file.tensors[name].shape, [rows, cols] = shape.slice(-2), size = rows * cols;
      return new Matrix(rows, cols, weights[name].subarray(set * size, (set + 1) * size));
    };
    return { weights, matrix, has: (name) => name in weights, shape: (name) => file.tensors[name].shape };
  }

  Object.assign(engine, {
    Matrix, dot, linear, product, plus, scaled, stacked, softmax, sigmoid, relu, gelu, geluNew, rootMeanSquare, unitLength, bytesOf, unpack,
  });
});
