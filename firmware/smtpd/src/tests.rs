//! Sessions over a pipe.
