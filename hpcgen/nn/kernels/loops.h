/* The loops for numbers of type REAL, with the bits of `plain`. loops.c includes this file once for each type.

   Every kernel has the same signature: arrays a[], all of type REAL and C-contiguous; integers n[]; constants
   c[] of type REAL. */

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

/* Sums over rows. n[2] rows make a block; the sums of the blocks are added to the total. a[] ends with the totals
   and with working arrays of their size. */

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

/* Windows on two axes. n: samples, height, width, positions down and across, kernel down and across, channels,
   stride down and across, padding down and across. A row of the kernel is contiguous in a row of x. */

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
    /* The order of plain.fold: as the positions descend, the offsets in the kernel ascend. */
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
                    REAL *restrict target = out + (first + begin);
                    REAL *restrict source = a[0] + (((i * down + p) * across + q) * kernel + r) * run + begin;
                    for (long k = 0; k < end - begin; k++) target[k] += source[k];
                }
            }
        }
}

/* Winograd's F(2, 2) and F(4, 2) on one axis: the maps of plain/filters.py. Each reads m numbers at each place of
   `in`, with `from` numbers between places, and writes m numbers at each place of `out`, `to` numbers apart.

   build.py defines the points POINT_A and POINT_B. SCALE_A and SCALE_B are one over the product of the differences
   between a point and the others. */

#define MAP(map) static inline void NAME(map)(const REAL *restrict in, size_t from, REAL *restrict out, size_t to, size_t m)
#define PLACES const REAL *i0 = in, *i1 = in + from, *i2 = in + 2 * from, *i3 = in + 3 * from, *i4 = in + 4 * from;
#define SCALE_A (1 / (2 * POINT_A * (POINT_A * POINT_A - POINT_B * POINT_B)))
#define SCALE_B (1 / (2 * POINT_B * (POINT_B * POINT_B - POINT_A * POINT_A)))
#define POINTS \
    const REAL A = (REAL)POINT_A, B = (REAL)POINT_B, A2 = A * A, B2 = B * B, CA = (REAL)SCALE_A, CB = (REAL)SCALE_B; \
    (void)A, (void)B, (void)A2, (void)B2, (void)CA, (void)CB;
#define EACH_NUMBER for (size_t k = 0; k < m; k++)
#define WRITE(place) out[(place) * to + k]

MAP(data_2) {
    PLACES (void)i3, (void)i4;
    EACH_NUMBER {
        REAL x0 = i0[k], x1 = i1[k], x2 = i2[k];
        WRITE(0) = x0 - x1, WRITE(1) = x1, WRITE(2) = x1 - x2;
    }
}

MAP(data_4) {
    PLACES
    POINTS
    EACH_NUMBER {
        REAL x0 = i0[k], x1 = i1[k], x2 = i2[k], x3 = i3[k];
        REAL even_a = x3 - x1 * B2, odd_a = (x2 - x0 * B2) * A, even_b = x3 - x1 * A2, odd_b = (x2 - x0 * A2) * B;
        WRITE(0) = even_a + odd_a, WRITE(1) = even_a - odd_a, WRITE(2) = even_b + odd_b, WRITE(3) = even_b - odd_b;
        WRITE(4) = (i4[k] - x2 * (A2 + B2)) + x0 * (A2 * B2);
    }
}

MAP(output_2) {
    PLACES (void)i2, (void)i3, (void)i4;
    EACH_NUMBER {
        REAL y0 = i0[k], y1 = i1[k];
        WRITE(0) = y0, WRITE(1) = y0 + y1, WRITE(2) = -y1;
    }
}

MAP(output_4) {
    PLACES (void)i4;
    POINTS
    EACH_NUMBER {
        REAL y0 = i0[k], y1 = i1[k], y2 = i2[k], y3 = i3[k];
        REAL even_a = y0 + y2 * A2, odd_a = (y1 + y3 * A2) * A, even_b = y0 + y2 * B2, odd_b = (y1 + y3 * B2) * B;
        WRITE(0) = even_a + odd_a, WRITE(1) = even_a - odd_a, WRITE(2) = even_b + odd_b, WRITE(3) = even_b - odd_b;
        WRITE(4) = y3;
    }
}

MAP(output_adjoint_2) {
    PLACES (void)i3, (void)i4;
    EACH_NUMBER {
        REAL m0 = i0[k], m1 = i1[k], m2 = i2[k];
        WRITE(0) = m0 + m1, WRITE(1) = m1 - m2;
    }
}

MAP(output_adjoint_4) {
    PLACES
    POINTS
    EACH_NUMBER {
        REAL even_a = i0[k] + i1[k], odd_a = i0[k] - i1[k], even_b = i2[k] + i3[k], odd_b = i2[k] - i3[k];
        WRITE(0) = even_a + even_b, WRITE(1) = odd_a * A + odd_b * B, WRITE(2) = even_a * A2 + even_b * B2;
        WRITE(3) = (odd_a * (A2 * A) + odd_b * (B2 * B)) + i4[k];
    }
}

MAP(weight_2) {
    PLACES (void)i2, (void)i3, (void)i4;
    EACH_NUMBER {
        REAL w0 = i0[k], w1 = i1[k];
        WRITE(0) = w0, WRITE(1) = w0 + w1, WRITE(2) = w1;
    }
}

MAP(weight_4) {
    PLACES (void)i2, (void)i3, (void)i4;
    POINTS
    EACH_NUMBER {
        REAL w0 = i0[k], w1 = i1[k], odd_a = w1 * A, odd_b = w1 * B;
        WRITE(0) = (odd_a + w0) * CA, WRITE(1) = (odd_a - w0) * CA, WRITE(2) = (odd_b + w0) * CB, WRITE(3) = (odd_b - w0) * CB;
        WRITE(4) = w1;
    }
}

MAP(weight_adjoint_2) {
    PLACES (void)i3, (void)i4;
    EACH_NUMBER {
        REAL s1 = i1[k];
        WRITE(0) = i0[k] + s1, WRITE(1) = s1 + i2[k];
    }
}

MAP(weight_adjoint_4) {
    PLACES
    POINTS
    const REAL aca = (REAL)(POINT_A * SCALE_A), bcb = (REAL)(POINT_B * SCALE_B);
    EACH_NUMBER {
        REAL s0 = i0[k], s1 = i1[k], s2 = i2[k], s3 = i3[k];
        WRITE(0) = (s0 - s1) * CA + (s2 - s3) * CB, WRITE(1) = ((s0 + s1) * aca + (s2 + s3) * bcb) + i4[k];
    }
}

/* One cell of the adjoint of `data`, from the tile at `in`. The first cell of a tile is also the last cell of the
   tile before, which is at in - back. */

#define CELL(map) \
    static inline void NAME(map)(size_t cell, size_t tiles, const REAL *restrict in, size_t from, size_t back, \
                                 REAL *restrict out, size_t m)

CELL(cell_2) {
    PLACES (void)i3, (void)i4;
    const REAL *before = i2 - back;
    if (cell % 2)
        EACH_NUMBER out[k] = (i1[k] - i0[k]) + i2[k];
    else if (cell == 0)
        memcpy(out, i0, m * sizeof(REAL));
    else if (cell == 2 * tiles)
        EACH_NUMBER out[k] = -before[k];
    else
        EACH_NUMBER out[k] = i0[k] - before[k];
}

CELL(cell_4) {
    PLACES
    POINTS
    const REAL *before = i4 - back;
    if (cell % 4 == 1)
        EACH_NUMBER out[k] = -((i0[k] + i1[k]) * B2 + (i2[k] + i3[k]) * A2);
    else if (cell % 4 == 2)
        EACH_NUMBER out[k] = ((i0[k] - i1[k]) * A + (i2[k] - i3[k]) * B) - i4[k] * (A2 + B2);
    else if (cell % 4 == 3)
        EACH_NUMBER out[k] = (i0[k] + i1[k]) + (i2[k] + i3[k]);
    else if (cell == 4 * tiles)
        memcpy(out, before, m * sizeof(REAL));
    else {
        EACH_NUMBER out[k] = i4[k] * (A2 * B2) - ((i0[k] - i1[k]) * (A * B2) + (i2[k] - i3[k]) * (A2 * B));
        if (cell)
            EACH_NUMBER out[k] += before[k];
    }
}

#undef MAP
#undef CELL
#undef PLACES
#undef POINTS
#undef SCALE_A
#undef SCALE_B
#undef EACH_NUMBER
#undef WRITE

/* The maps on two axes. n: tile, samples, height, width, tiles down and across, channels, and for the data the
   padding above and on the left. */

#define TILES \
    size_t tile = n[0], products = tile + 1, samples = n[1], height = n[2], width = n[3], down = n[4], across = n[5], m = n[6];
#define PADDING size_t above = n[7], left = n[8];
#define APPLY(map, ...) (tile == 2 ? NAME(map##_2)(__VA_ARGS__) : NAME(map##_4)(__VA_ARGS__))

KERNEL(winograd_data) {
    /* a: x (samples, height, width, m), out (p, p, samples, down, across, 2, 2, m), the padded image
       (2 (tile down + 1), 2 (tile across + 1), m), work (p, p, 2, m) */
    TILES
    PADDING
    REAL *padded = a[2], *work = a[3];
    size_t line = 2 * (tile * across + 1) * m, plane = samples * down * across * 4 * m, pair = 2 * m;
    size_t rows = 2 * (tile * down + 1) - above, columns = 2 * (tile * across + 1) - left;
    if (height < rows) rows = height;
    if (width < columns) columns = width;
    memset(padded, 0, 2 * (tile * down + 1) * line * sizeof(REAL));
    for (size_t i = 0; i < samples; i++) {
        for (size_t r = 0; r < rows; r++)
            memcpy(padded + (r + above) * line + left * m, a[0] + (i * height + r) * width * m, columns * m * sizeof(REAL));
        for (size_t t = 0; t < down; t++)
            for (size_t s = 0; s < across; s++)
                for (size_t phase = 0; phase < 2; phase++) {
                    REAL *x = padded + (2 * tile * t + phase) * line + 2 * tile * s * m;
                    REAL *v = a[1] + (((i * down + t) * across + s) * 4 + 2 * phase) * m;
                    for (size_t r = 0; r < products; r++) APPLY(data, x + 2 * r * line, pair, work + r * pair, products * pair, pair);
                    for (size_t j = 0; j < products; j++)
                        APPLY(data, work + j * products * pair, pair, v + j * plane, products * plane, pair);
                }
    }
}

KERNEL(winograd_data_adjoint) {
    /* a: v (p, p, samples, down, across, 2, 2, m), out (samples, height, width, m), a row of cells (p, across, 2, 2, m) */
    TILES
    PADDING
    REAL *cells = a[2];
    size_t four = 4 * m, line = across * four, plane = samples * down * line;
    for (size_t i = 0; i < samples; i++)
        for (size_t row = 0; row <= tile * down; row++) {
            for (size_t j = 0; j < products; j++)
                APPLY(cell, row, down, a[0] + j * plane + (i * down + row / tile) * line, products * plane, line, cells + j * line, line);
            for (size_t column = 0; column <= tile * across; column++)
                for (size_t phase = 0; phase < 4; phase++) {
                    size_t place = 2 * row + phase / 2, where = 2 * column + phase % 2;
                    if (place >= above && place < height + above && where >= left && where < width + left)
                        APPLY(cell, column, across, cells + column / tile * four + phase * m, line, four,
                              a[1] + ((i * height + place - above) * width + where - left) * m, m);
                }
        }
}

KERNEL(winograd_output) {
    /* a: dy (samples, height, width, m), out (p, p, samples, down, across, m), the padded image (tile down, tile across, m),
       work (p, tile, m) */
    TILES
    REAL *padded = a[2], *work = a[3], *out = a[1];
    size_t line = tile * across * m, plane = samples * down * across * m;
    memset(padded, 0, tile * down * line * sizeof(REAL));
    for (size_t i = 0; i < samples; i++) {
        for (size_t r = 0; r < height; r++)
            memcpy(padded + r * line, a[0] + (i * height + r) * width * m, width * m * sizeof(REAL));
        for (size_t t = 0; t < down; t++)
            for (size_t s = 0; s < across; s++, out += m) {
                for (size_t r = 0; r < tile; r++)
                    APPLY(output, padded + (tile * t + r) * line + tile * s * m, m, work + r * m, tile * m, m);
                for (size_t j = 0; j < products; j++) APPLY(output, work + j * tile * m, m, out + j * plane, products * plane, m);
            }
    }
}

KERNEL(winograd_output_adjoint) {
    /* a: v (p, p, samples, down, across, m), out (samples, height, width, m), work (tile, p, m), a row of a tile (tile, m) */
    TILES
    REAL *v = a[0], *work = a[2], *made = a[3];
    size_t plane = samples * down * across * m;
    for (size_t i = 0; i < samples; i++)
        for (size_t t = 0; t < down; t++)
            for (size_t s = 0; s < across; s++, v += m) {
                size_t rows = height - tile * t < tile ? height - tile * t : tile;
                size_t columns = width - tile * s < tile ? width - tile * s : tile;
                for (size_t j = 0; j < products; j++)
                    APPLY(output_adjoint, v + j * plane, products * plane, work + j * m, products * m, m);
                for (size_t r = 0; r < rows; r++) {
                    REAL *y = a[1] + ((i * height + tile * t + r) * width + tile * s) * m;
                    APPLY(output_adjoint, work + r * products * m, m, columns == tile ? y : made, m, m);
                    if (columns < tile) memcpy(y, made, columns * m * sizeof(REAL));
                }
            }
}

/* n: tile, m, numbers in a block. The taps at even and at odd places make four filters of two by two. */

#define BLOCKS \
    size_t tile = n[0], products = tile + 1, m = n[1], block = n[2]; \
    for (size_t phase = 0; phase < 4; phase++) \
        for (size_t start = 0, count; count = m - start < block ? m - start : block, start < m; start += block)

KERNEL(winograd_weight) { /* a: w (4, 4, m), out (p, p, 2, 2, m), work (p, 2, block) */
    BLOCKS {
        REAL *w = a[0] + (phase / 2 * 4 + phase % 2) * m + start, *u = a[1] + phase * m + start, *work = a[2];
        for (size_t r = 0; r < 2; r++) APPLY(weight, w + 8 * r * m, 2 * m, work + r * block, 2 * block, count);
        for (size_t j = 0; j < products; j++)
            APPLY(weight, work + 2 * j * block, block, u + 4 * j * m, 4 * products * m, count);
    }
}

KERNEL(winograd_weight_adjoint) { /* a: s (p, p, 2, 2, m), out (4, 4, m), work (2, p, block) */
    BLOCKS {
        REAL *s = a[0] + phase * m + start, *w = a[1] + (phase / 2 * 4 + phase % 2) * m + start, *work = a[2];
        for (size_t j = 0; j < products; j++)
            APPLY(weight_adjoint, s + 4 * j * m, 4 * products * m, work + j * block, products * block, count);
        for (size_t r = 0; r < 2; r++)
            APPLY(weight_adjoint, work + r * products * block, block, w + 8 * r * m, 2 * m, count);
    }
}

#undef BLOCKS

#undef APPLY
#undef TILES

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

/* Update the moments m and v of Adam by the gradient g; return eta m / (sqrt(v) correction + epsilon). */

static inline REAL NAME(adam_step)(REAL g, REAL *restrict m, REAL *restrict v, REAL beta1, REAL rest1, REAL beta2, REAL rest2,
                                   REAL correction, REAL epsilon, REAL eta) {
    *m = *m * beta1 + g * rest1;
    *v = *v * beta2 + g * g * rest2;
    return *m * eta / (ROOT(*v) * correction + epsilon);
}

/* The arrays and constants of both kernels. c: scale, beta1, 1 - beta1, beta2, 1 - beta2, correction, epsilon, eta, then one
   constant that they use differently. */

#define ADAM \
    REAL *restrict theta = a[0], *restrict grad = a[1], *restrict m = a[2], *restrict v = a[3]; \
    REAL scale = c[0], beta1 = c[1], rest1 = c[2], beta2 = c[3], rest2 = c[4], correction = c[5], epsilon = c[6], eta = c[7];
#define ADAM_STEP NAME(adam_step)(grad[i] * scale, m + i, v + i, beta1, rest1, beta2, rest2, correction, epsilon, eta)

KERNEL(adam) { /* a: theta, grad, m, v; c ends with keep */
    ADAM
    REAL keep = c[8];
    for (size_t i = 0; i < n[0]; i++) {
        REAL step = ADAM_STEP;
        theta[i] = theta[i] * keep - step;
    }
}

KERNEL(adam_direction) { /* a: theta, grad, m, v; c ends with decay. Leaves the direction in grad. */
    ADAM
    REAL decay = c[8];
    for (size_t i = 0; i < n[0]; i++) {
        REAL step = ADAM_STEP;
        grad[i] = step + theta[i] * decay;
    }
}

#undef ADAM
#undef ADAM_STEP

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
