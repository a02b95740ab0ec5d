//! Hands on to this crate which Python it is compiled for (`cfg(Py_3_10)` and its like).

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
