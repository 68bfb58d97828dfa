/* The module hpcgen.nn.kernels._loops: loops.h for float32 and float64. A kernel is called as
   kernel(arrays..., integers..., constants...).

   build.py compiles it without contraction to fused multiply-adds: the bits are the same everywhere. */

#define PY_SSIZE_T_CLEAN
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <Python.h>
#include <math.h>
#include <numpy/arrayobject.h>
#include <string.h>

/* The largest number of arrays, of integers and of constants that a kernel takes. */
#define MOST_ARGUMENTS 16

/* On x86 each loop is compiled for several processors, if the compiler and the C library can do that. The version for this
   processor is chosen when the module is loaded. */
#if defined(__x86_64__) && defined(__GNUC__) && defined(__GLIBC__) && !defined(__clang__) && !defined(__INTEL_COMPILER) && \
    !defined(__NVCOMPILER)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif
#if defined(__clang__) || defined(__INTEL_COMPILER) || defined(__NVCOMPILER) || !defined(__GNUC__)
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif
#define JOIN(a, b) a##b
#define EXPAND(a, b) JOIN(a, b)
#define NAME(kernel) EXPAND(kernel, SUFFIX)
#define KERNEL(kernel) CLONES static void NAME(kernel)(REAL **a, const size_t *n, const REAL *c)

#define REAL float
#define SUFFIX _32
#define ROOT sqrtf
#include "loops.h"
#undef REAL
#undef SUFFIX
#undef ROOT

#define REAL double
#define SUFFIX _64
#define ROOT sqrt
#include "loops.h"

typedef void (*loop32)(float **, const size_t *, const float *);
typedef void (*loop64)(double **, const size_t *, const double *);

/* Sort the arguments, check them, and run the loop for their type without the interpreter's lock. `due` says how many
   arrays, integers and constants the kernel takes. */
static PyObject *call(PyObject *const *arguments, Py_ssize_t count, loop32 run32, loop64 run64, const size_t due[3]) {
    void *arrays[MOST_ARGUMENTS];
    size_t integers[MOST_ARGUMENTS], na = 0, ni = 0, nc = 0;
    double constants[MOST_ARGUMENTS];
    float singles[MOST_ARGUMENTS];
    int type = -1;
    if (count != (Py_ssize_t)(due[0] + due[1] + due[2])) return PyErr_Format(PyExc_TypeError, "%zd arguments", count);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *argument = arguments[i];
        if (PyArray_Check(argument)) {
            PyArrayObject *array = (PyArrayObject *)argument;
            if (type == -1) type = PyArray_TYPE(array);
            if (PyArray_TYPE(array) != type || (type != NPY_FLOAT && type != NPY_DOUBLE) || !PyArray_ISCARRAY_RO(array))
                return PyErr_Format(PyExc_TypeError, "argument %zd: arrays must be contiguous, all float32 or all float64", i);
            arrays[na++] = PyArray_DATA(array);
        } else if (PyIndex_Check(argument)) {
            Py_ssize_t integer = PyNumber_AsSsize_t(argument, PyExc_OverflowError);
            if (integer < 0 && !PyErr_Occurred()) PyErr_Format(PyExc_ValueError, "argument %zd: %zd is negative", i, integer);
            integers[ni++] = (size_t)integer;
        } else {
            constants[nc++] = PyFloat_AsDouble(argument);
        }
        if (PyErr_Occurred()) return NULL;
    }
    if (na != due[0] || ni != due[1] || nc != due[2])
        return PyErr_Format(PyExc_TypeError, "%zu arrays, %zu integers, %zu constants", na, ni, nc);
    for (size_t i = 0; i < nc; i++) singles[i] = (float)constants[i];
    Py_BEGIN_ALLOW_THREADS
    if (type == NPY_FLOAT)
        run32((float **)arrays, integers, singles);
    else
        run64((double **)arrays, integers, constants);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* Each kernel, with the numbers of its arrays, integers and constants. */
#define KERNELS(EACH) \
    EACH(outer, 3, 2, 0) EACH(rectify, 2, 2, 1) EACH(rectify_gradient, 2, 1, 1) EACH(scale_rectify, 4, 2, 1) \
    EACH(column_sums, 3, 3, 0) EACH(column_squares, 4, 3, 0) EACH(column_products, 7, 3, 0) EACH(combine, 5, 2, 0) \
    EACH(unfold, 2, 12, 0) EACH(fold, 2, 12, 0) EACH(winograd_data, 4, 9, 0) EACH(winograd_data_adjoint, 3, 9, 0) \
    EACH(winograd_output, 4, 7, 0) EACH(winograd_output_adjoint, 4, 7, 0) EACH(winograd_weight, 3, 3, 0) \
    EACH(winograd_weight_adjoint, 3, 3, 0) EACH(descend, 2, 1, 1) EACH(momentum, 3, 1, 5) EACH(adam, 4, 1, 9) \
    EACH(adam_direction, 4, 1, 9) EACH(rmsprop, 3, 1, 5) EACH(approach, 2, 1, 1)
#define METHOD(kernel, arrays, integers, constants) \
    static PyObject *call_##kernel(PyObject *self, PyObject *const *arguments, Py_ssize_t count) { \
        static const size_t due[3] = {arrays, integers, constants}; \
        return call(arguments, count, kernel##_32, kernel##_64, due); \
    }
#define ENTRY(kernel, arrays, integers, constants) {#kernel, (PyCFunction)(void (*)(void))call_##kernel, METH_FASTCALL, NULL},

KERNELS(METHOD)
static PyMethodDef methods[] = {KERNELS(ENTRY){NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_loops", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__loops(void) {
    import_array();
    PyObject *made = PyModule_Create(&module);
    if (made && (PyModule_AddStringConstant(made, "COMPILER", COMPILER) < 0 || PyModule_AddStringConstant(made, "SOURCE", SOURCE) < 0))
        Py_CLEAR(made);
    return made;
}
