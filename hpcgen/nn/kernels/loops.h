/* The loops, for numbers of type REAL: the bits of plain.py. Included once for each type by loops.c.

   Every kernel has the same signature: arrays a[], all of type REAL and C-contiguous, integers n[], constants c[] of type REAL. */

KERNEL(outer) { /* a: left (rows), right (channels), out (rows, channels) */
    REAL *restrict left = a[0], *restrict right = a[1], *restrict out = a[2];
    for (size_t i = 0; i < n[0]; i++, out += n[1])
        for (size_t k = 0; k < n[1]; k++) out[k] = left[i] * right[k];
}

KERNEL(rectify) { /* a: y (rows, channels), bias (channels); c: slope */
    REAL *restrict y = a[0], *restrict bias = a[1], slope = c[0];
    for (size_t i = 0; i < n[0]; i++, y += n[1])
        for (size_t k = 0; k < n[1]; k++) {
            REAL t = y[k] + bias[k];
            y[k] = t > 0 ? t : slope * t;
        }
}

KERNEL(rectify_gradient) { /* a: dy, y (size); c: slope */
    REAL *restrict dy = a[0], *restrict y = a[1], slope = c[0];
    for (size_t i = 0; i < n[0]; i++) {
        REAL t = dy[i], low = slope * t;
        dy[i] = y[i] > 0 ? t : low;
    }
}

KERNEL(scale_rectify) { /* a: x (rows, channels), scale, shift (channels), out; c: slope */
    REAL *restrict x = a[0], *restrict scale = a[1], *restrict shift = a[2], *restrict out = a[3], slope = c[0];
    for (size_t i = 0; i < n[0]; i++, x += n[1], out += n[1])
        for (size_t k = 0; k < n[1]; k++) {
            REAL t = x[k] * scale[k] + shift[k];
            out[k] = t > 0 ? t : slope * t;
        }
}

/* Sums over rows: n[2] rows make a block, and blocks are added to the total. a[] ends with the totals and with work of their size. */

KERNEL(column_sums) { /* a: x (rows, channels), total, block (channels) */
    REAL *restrict x = a[0], *restrict total = a[1], *restrict block = a[2];
    size_t m = n[1];
    for (size_t start = 0; start < n[0]; start += n[2]) {
        size_t stop = start + n[2] < n[0] ? start + n[2] : n[0];
        for (size_t k = 0; k < m; k++) block[k] = 0;
        for (size_t i = start; i < stop; i++)
            for (size_t k = 0; k < m; k++) block[k] += x[i * m + k];
        for (size_t k = 0; k < m; k++) total[k] = start ? total[k] + block[k] : block[k];
    }
}

KERNEL(column_squares) { /* a: x (rows, channels), mean, total, block (channels) */
    REAL *restrict x = a[0], *restrict mean = a[1], *restrict total = a[2], *restrict block = a[3];
    size_t m = n[1];
    for (size_t start = 0; start < n[0]; start += n[2]) {
        size_t stop = start + n[2] < n[0] ? start + n[2] : n[0];
        for (size_t k = 0; k < m; k++) block[k] = 0;
        for (size_t i = start; i < stop; i++)
            for (size_t k = 0; k < m; k++) {
                REAL centred = x[i * m + k] - mean[k];
                block[k] += centred * centred;
            }
        for (size_t k = 0; k < m; k++) total[k] = start ? total[k] + block[k] : block[k];
    }
}

KERNEL(column_products) { /* a: dy, x (rows, channels), mean, sums, products, two blocks (channels) */
    REAL *restrict dy = a[0], *restrict x = a[1], *restrict mean = a[2], *restrict sums = a[3], *restrict products = a[4];
    REAL *restrict block = a[5], *restrict centred = a[6];
    size_t m = n[1];
    for (size_t start = 0; start < n[0]; start += n[2]) {
        size_t stop = start + n[2] < n[0] ? start + n[2] : n[0];
        for (size_t k = 0; k < m; k++) block[k] = centred[k] = 0;
        for (size_t i = start; i < stop; i++)
            for (size_t k = 0; k < m; k++) {
                REAL d = dy[i * m + k];
                block[k] += d;
                centred[k] += (x[i * m + k] - mean[k]) * d;
            }
        for (size_t k = 0; k < m; k++) {
            sums[k] = start ? sums[k] + block[k] : block[k];
            products[k] = start ? products[k] + centred[k] : centred[k];
        }
    }
}

KERNEL(combine) { /* a: dy, x (rows, channels), factors of dy and of x, constants (channels) */
    REAL *restrict dy = a[0], *restrict x = a[1], *restrict by = a[2], *restrict with = a[3], *restrict plus = a[4];
    for (size_t i = 0; i < n[0]; i++, dy += n[1], x += n[1])
        for (size_t k = 0; k < n[1]; k++) dy[k] = dy[k] * by[k] + (x[k] * with[k] + plus[k]);
}

/* Windows of two axes. n: samples, height, width, positions down and across, kernel down and across, channels, stride down and
   across, padding down and across. A row of the kernel lies in one piece in a row of x. */

#define WINDOWS \
    size_t samples = n[0], height = n[1], down = n[3], across = n[4], kernel = n[5], channels = n[7]; \
    long width = n[2] * channels, run = n[6] * channels, step_down = n[8], step = n[9] * channels, top = n[10]; \
    long left = n[11] * channels;

KERNEL(unfold) { /* a: x (samples, height, width, channels), out (samples, down, across, kernel, kernel, channels) */
    WINDOWS
    REAL *restrict out = a[1];
    for (size_t i = 0; i < samples; i++)
        for (size_t p = 0; p < down; p++)
            for (size_t q = 0; q < across; q++) {
                long first = (long)q * step - left;
                long begin = first < 0 ? (-first < run ? -first : run) : 0;
                long end = width - first < run ? width - first : run;
                if (end < begin) end = begin;
                for (size_t r = 0; r < kernel; r++, out += run) {
                    long row = (long)p * step_down + (long)r - top;
                    if (row < 0 || row >= (long)height) {
                        memset(out, 0, run * sizeof(REAL));
                        continue;
                    }
                    memset(out, 0, begin * sizeof(REAL));
                    memcpy(out + begin, a[0] + ((i * height + row) * width + first + begin), (end - begin) * sizeof(REAL));
                    memset(out + end, 0, (run - end) * sizeof(REAL));
                }
            }
}

KERNEL(fold) { /* a: patches (samples, down, across, kernel, kernel, channels), out (samples, height, width, channels) */
    /* Added in the order of plain.fold: the kernel's offsets ascend as the positions descend. */
    WINDOWS
    REAL *out = a[1];
    memset(out, 0, samples * height * width * sizeof(REAL));
    for (size_t i = 0; i < samples; i++)
        for (size_t row = 0; row < height; row++, out += width) {
            long last = ((long)row + top) / step_down;
            if (last > (long)down - 1) last = down - 1;
            for (long p = last; p >= 0; p--) {
                long r = (long)row + top - p * step_down;
                if (r >= (long)kernel) break;
                for (long q = (long)across - 1; q >= 0; q--) {
                    long first = q * step - left;
                    long begin = first < 0 ? -first : 0, end = width - first < run ? width - first : run;
                    REAL *restrict target = out + first;
                    REAL *restrict source = a[0] + (((i * down + p) * across + q) * kernel + r) * run;
                    for (long k = begin; k < end; k++) target[k] += source[k];
                }
            }
        }
}

/* Winograd's F(2, 2) on two axes. n: samples, height, width, tiles down and across, channels. */

#define TILES size_t samples = n[0], height = n[1], width = n[2], down = n[3], across = n[4], m = n[5];

KERNEL(winograd_data) {
    /* a: x (samples, height, width, m), out (3, 3, samples, down, across, 2, 2, m), padded (4 down + 2, 4 across + 2, m) */
    TILES
    REAL *restrict padded = a[2];
    size_t line = (4 * across + 2) * m, plane = samples * down * across * 4 * m;
    size_t rows = height < 4 * down + 1 ? height : 4 * down + 1, columns = width < 4 * across + 1 ? width : 4 * across + 1;
    memset(padded, 0, (4 * down + 2) * line * sizeof(REAL));
    for (size_t i = 0; i < samples; i++) {
        for (size_t r = 0; r < rows; r++)
            memcpy(padded + (r + 1) * line + m, a[0] + (i * height + r) * width * m, columns * m * sizeof(REAL));
        for (size_t t = 0; t < down; t++)
            for (size_t s = 0; s < across; s++)
                for (size_t phase = 0; phase < 4; phase++) {
                    REAL *restrict x = padded + (4 * t + phase / 2) * line + (4 * s + phase % 2) * m;
                    REAL *restrict v = a[1] + (((i * down + t) * across + s) * 4 + phase) * m;
                    for (size_t k = 0; k < m; k++) {
                        REAL x00 = x[k], x01 = x[2 * m + k], x02 = x[4 * m + k];
                        REAL x10 = x[2 * line + k], x11 = x[2 * line + 2 * m + k], x12 = x[2 * line + 4 * m + k];
                        REAL x20 = x[4 * line + k], x21 = x[4 * line + 2 * m + k], x22 = x[4 * line + 4 * m + k];
                        REAL y0 = x00 - x01, y1 = x10 - x11, y2 = x20 - x21;
                        v[k] = y0 - y1, v[3 * plane + k] = y1, v[6 * plane + k] = y1 - y2;
                        v[plane + k] = x01 - x11, v[4 * plane + k] = x11, v[7 * plane + k] = x11 - x21;
                        y0 = x01 - x02, y1 = x11 - x12, y2 = x21 - x22;
                        v[2 * plane + k] = y0 - y1, v[5 * plane + k] = y1, v[8 * plane + k] = y1 - y2;
                    }
                }
    }
}

/* out <- what neighbouring tiles give to the cell `cell` between them, on one axis; v0, v1 and v2 are its tile's, b2 the tile's before. */
static inline void NAME(gather_cell)(size_t cell, size_t tiles, size_t m, const REAL *restrict v0, const REAL *restrict v1,
                                     const REAL *restrict v2, const REAL *restrict b2, REAL *restrict out) {
    if (cell % 2)
        for (size_t k = 0; k < m; k++) out[k] = (v1[k] - v0[k]) + v2[k];
    else if (cell == 0)
        memcpy(out, v0, m * sizeof(REAL));
    else if (cell == 2 * tiles)
        for (size_t k = 0; k < m; k++) out[k] = -b2[k];
    else
        for (size_t k = 0; k < m; k++) out[k] = v0[k] - b2[k];
}

KERNEL(winograd_data_adjoint) {
    /* a: v (3, 3, samples, down, across, 2, 2, m), out (samples, height, width, m), cells (3, across, 2, 2, m) */
    TILES
    REAL *restrict cells = a[2];
    size_t tile = 4 * m, line = across * tile, plane = samples * down * line;
    for (size_t i = 0; i < samples; i++)
        for (size_t row = 0; row <= 2 * down; row++) {
            /* A row of cells, taken back along the rows; then along the columns, straight into the pixels. */
            for (size_t j = 0; j < 3; j++) {
                REAL *v = a[0] + j * plane + (i * down + row / 2) * line;
                NAME(gather_cell)(row, down, line, v, v + 3 * plane, v + 6 * plane, v + 6 * plane - line, cells + j * line);
            }
            for (size_t column = 0; column <= 2 * across; column++) {
                REAL *c0 = cells + column / 2 * tile;
                for (size_t phase = 0; phase < 4; phase++, c0 += m) {
                    size_t place = 2 * row + phase / 2, where = 2 * column + phase % 2;
                    if (place >= 1 && place <= height && where >= 1 && where <= width)
                        NAME(gather_cell)(column, across, m, c0, c0 + line, c0 + 2 * line, c0 + 2 * line - tile,
                                          a[1] + ((i * height + place - 1) * width + where - 1) * m);
                }
            }
        }
}

KERNEL(winograd_output) { /* a: dy (samples, height, width, m), out (3, 3, samples, down, across, m), zero (m) */
    TILES
    REAL *restrict out = a[1];
    size_t plane = samples * down * across * m;
    memset(a[2], 0, m * sizeof(REAL));
    for (size_t i = 0; i < samples; i++)
        for (size_t t = 0; t < down; t++)
            for (size_t s = 0; s < across; s++, out += m) {
                size_t lower = 2 * t + 1 < height, right = 2 * s + 1 < width;
                REAL *y00 = a[0] + ((i * height + 2 * t) * width + 2 * s) * m, *y01 = right ? y00 + m : a[2];
                REAL *y10 = lower ? y00 + width * m : a[2], *y11 = lower && right ? y10 + m : a[2];
                for (size_t k = 0; k < m; k++) {
                    REAL y0 = y00[k], y1 = y10[k];
                    out[k] = y0, out[3 * plane + k] = y0 + y1, out[6 * plane + k] = -y1;
                    y0 = y00[k] + y01[k], y1 = y10[k] + y11[k];
                    out[plane + k] = y0, out[4 * plane + k] = y0 + y1, out[7 * plane + k] = -y1;
                    y0 = -y01[k], y1 = -y11[k];
                    out[2 * plane + k] = y0, out[5 * plane + k] = y0 + y1, out[8 * plane + k] = -y1;
                }
            }
}

KERNEL(winograd_output_adjoint) { /* a: v (3, 3, samples, down, across, m), out (samples, height, width, m), beyond (m) */
    TILES
    REAL *restrict v = a[0];
    size_t plane = samples * down * across * m;
    for (size_t i = 0; i < samples; i++)
        for (size_t t = 0; t < down; t++)
            for (size_t s = 0; s < across; s++, v += m) {
                size_t lower = 2 * t + 1 < height, right = 2 * s + 1 < width;
                REAL *y00 = a[1] + ((i * height + 2 * t) * width + 2 * s) * m, *y01 = right ? y00 + m : a[2];
                REAL *y10 = lower ? y00 + width * m : a[2], *y11 = lower && right ? y10 + m : a[2];
                for (size_t k = 0; k < m; k++) {
                    REAL m0 = v[k] + v[3 * plane + k], m1 = v[plane + k] + v[4 * plane + k];
                    REAL m2 = v[2 * plane + k] + v[5 * plane + k];
                    y00[k] = m0 + m1, y01[k] = m1 - m2;
                    m0 = v[3 * plane + k] - v[6 * plane + k], m1 = v[4 * plane + k] - v[7 * plane + k];
                    m2 = v[5 * plane + k] - v[8 * plane + k];
                    y10[k] = m0 + m1, y11[k] = m1 - m2;
                }
            }
}

KERNEL(winograd_weight) { /* a: w (4, 4, size), out (3, 3, 2, 2, size); n: size */
    size_t m = n[0];
    for (size_t phase = 0; phase < 4; phase++) {
        REAL *restrict w = a[0] + (phase / 2 * 4 + phase % 2) * m, *restrict u = a[1] + phase * m;
        for (size_t k = 0; k < m; k++) {
            REAL w00 = w[k], w01 = w[2 * m + k], w10 = w[8 * m + k], w11 = w[10 * m + k];
            u[k] = w00, u[12 * m + k] = w00 + w10, u[24 * m + k] = w10;
            REAL w0 = w00 + w01, w1 = w10 + w11;
            u[4 * m + k] = w0, u[16 * m + k] = w0 + w1, u[28 * m + k] = w1;
            u[8 * m + k] = w01, u[20 * m + k] = w01 + w11, u[32 * m + k] = w11;
        }
    }
}

KERNEL(winograd_weight_adjoint) { /* a: s (3, 3, 2, 2, size), out (4, 4, size); n: size */
    size_t m = n[0];
    for (size_t phase = 0; phase < 4; phase++) {
        REAL *restrict s = a[0] + phase * m, *restrict w = a[1] + (phase / 2 * 4 + phase % 2) * m;
        for (size_t k = 0; k < m; k++) {
            REAL s0 = s[k] + s[12 * m + k], s1 = s[4 * m + k] + s[16 * m + k], s2 = s[8 * m + k] + s[20 * m + k];
            w[k] = s0 + s1, w[2 * m + k] = s1 + s2;
            s0 = s[12 * m + k] + s[24 * m + k], s1 = s[16 * m + k] + s[28 * m + k], s2 = s[20 * m + k] + s[32 * m + k];
            w[8 * m + k] = s0 + s1, w[10 * m + k] = s1 + s2;
        }
    }
}

/* Optimizers. n: size. */

KERNEL(descend) { /* a: theta, grad; c: rate */
    REAL *restrict theta = a[0], *restrict grad = a[1], rate = c[0];
    for (size_t i = 0; i < n[0]; i++) theta[i] -= grad[i] * rate;
}

KERNEL(momentum) { /* a: theta, grad, velocity; c: scale, decay, mu, gain, rate */
    REAL *restrict theta = a[0], *restrict grad = a[1], *restrict velocity = a[2];
    REAL scale = c[0], decay = c[1], mu = c[2], gain = c[3], rate = c[4];
    for (size_t i = 0; i < n[0]; i++) {
        velocity[i] = velocity[i] * mu + (grad[i] * scale + theta[i] * decay) * gain;
        theta[i] -= velocity[i] * rate;
    }
}

KERNEL(adam) { /* a: theta, grad, m, v; c: scale, beta1, 1 - beta1, beta2, 1 - beta2, correction, epsilon, eta, keep */
    REAL *restrict theta = a[0], *restrict grad = a[1], *restrict m = a[2], *restrict v = a[3];
    REAL scale = c[0], beta1 = c[1], rest1 = c[2], beta2 = c[3], rest2 = c[4], correction = c[5], epsilon = c[6], eta = c[7];
    REAL keep = c[8];
    for (size_t i = 0; i < n[0]; i++) {
        REAL g = grad[i] * scale;
        m[i] = m[i] * beta1 + g * rest1;
        v[i] = v[i] * beta2 + g * g * rest2;
        theta[i] = theta[i] * keep - m[i] * eta / (ROOT(v[i]) * correction + epsilon);
    }
}

KERNEL(adam_direction) { /* as adam, with the direction left in grad; c ends with eta, decay */
    REAL *restrict theta = a[0], *restrict grad = a[1], *restrict m = a[2], *restrict v = a[3];
    REAL scale = c[0], beta1 = c[1], rest1 = c[2], beta2 = c[3], rest2 = c[4], correction = c[5], epsilon = c[6], eta = c[7];
    REAL decay = c[8];
    for (size_t i = 0; i < n[0]; i++) {
        REAL g = grad[i] * scale;
        m[i] = m[i] * beta1 + g * rest1;
        v[i] = v[i] * beta2 + g * g * rest2;
        grad[i] = m[i] * eta / (ROOT(v[i]) * correction + epsilon) + theta[i] * decay;
    }
}

KERNEL(rmsprop) { /* a: theta, grad, square; c: scale, rho, 1 - rho, rate, epsilon */
    REAL *restrict theta = a[0], *restrict grad = a[1], *restrict square = a[2];
    REAL scale = c[0], rho = c[1], rest = c[2], rate = c[3], epsilon = c[4];
    for (size_t i = 0; i < n[0]; i++) {
        REAL g = grad[i] * scale;
        square[i] = square[i] * rho + g * g * rest;
        theta[i] -= g * rate / (ROOT(square[i]) + epsilon);
    }
}

KERNEL(approach) { /* a: average, values; c: share */
    REAL *restrict average = a[0], *restrict values = a[1], share = c[0];
    for (size_t i = 0; i < n[0]; i++) average[i] += (values[i] - average[i]) * share;
}
