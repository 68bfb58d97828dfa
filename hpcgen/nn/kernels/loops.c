/* The module hpcgen.nn.kernels._loops: loops.h for float32 and float64, called as kernel(arrays..., integers..., constants...).

   Compiled by build.py without contraction to fused multiply-adds, for the same bits everywhere. */

#define PY_SSIZE_T_CLEAN
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <Python.h>
#include <math.h>
#include <numpy/arrayobject.h>
#include <string.h>

#define MOST 16

/* On x86 each loop is compiled for several processors, and chosen when the module is loaded. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
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

/* Sort the arguments, check the arrays, and run the loop for their type without the interpreter's lock. */
static PyObject *call(PyObject *const *arguments, Py_ssize_t count, loop32 run32, loop64 run64) {
    void *arrays[MOST];
    size_t integers[MOST], na = 0, ni = 0, nc = 0;
    double constants[MOST];
    float singles[MOST];
    int type = -1;
    if (count > MOST) return PyErr_Format(PyExc_TypeError, "at most %d arguments", MOST);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *argument = arguments[i];
        if (PyArray_Check(argument)) {
            PyArrayObject *array = (PyArrayObject *)argument;
            if (type == -1) type = PyArray_TYPE(array);
            if (PyArray_TYPE(array) != type || (type != NPY_FLOAT && type != NPY_DOUBLE) || !PyArray_IS_C_CONTIGUOUS(array))
                return PyErr_Format(PyExc_TypeError, "argument %zd: arrays must be contiguous, all float32 or all float64", i);
            arrays[na++] = PyArray_DATA(array);
        } else if (PyLong_Check(argument)) {
            integers[ni++] = PyLong_AsSize_t(argument);
        } else {
            constants[nc++] = PyFloat_AsDouble(argument);
        }
    }
    if (PyErr_Occurred()) return NULL;
    for (size_t i = 0; i < nc; i++) singles[i] = (float)constants[i];
    Py_BEGIN_ALLOW_THREADS
    if (type == NPY_FLOAT)
        run32((float **)arrays, integers, singles);
    else
        run64((double **)arrays, integers, constants);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

#define METHOD(kernel) \
    static PyObject *call_##kernel(PyObject *self, PyObject *const *arguments, Py_ssize_t count) { \
        return call(arguments, count, kernel##_32, kernel##_64); \
    }
#define ENTRY(kernel) {#kernel, (PyCFunction)(void (*)(void))call_##kernel, METH_FASTCALL, NULL},
#define KERNELS(EACH) \
    EACH(outer) EACH(rectify) EACH(rectify_gradient) EACH(scale_rectify) EACH(column_sums) EACH(column_squares) EACH(column_products) \
    EACH(combine) EACH(unfold) EACH(fold) EACH(winograd_data) EACH(winograd_data_adjoint) EACH(winograd_output) \
    EACH(winograd_output_adjoint) EACH(winograd_weight) EACH(winograd_weight_adjoint) EACH(descend) EACH(momentum) EACH(adam) \
    EACH(adam_direction) EACH(rmsprop) EACH(approach)

KERNELS(METHOD)
static PyMethodDef methods[] = {KERNELS(ENTRY){NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_loops", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__loops(void) {
    import_array();
    PyObject *made = PyModule_Create(&module);
    if (made && PyModule_AddStringConstant(made, "COMPILER", __VERSION__) < 0) Py_CLEAR(made);
    return made;
}
