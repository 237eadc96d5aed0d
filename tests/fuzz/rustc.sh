#!/bin/sh
# RUSTC_WORKSPACE_WRAPPER of `cargo xtask fuzz`: our own crates tell libFuzzer which edges they took and what
# they compared. LLVM's pass is in every rustc; only cargo-fuzz asks for a nightly one. Optimised, because a
# fuzzer lives on tries per second, with all checks of a debug build left on.
# A build script runs on its own, without the fuzzer that would listen.
case " $* " in
    *" --crate-name build_script_build "*) exec "$@" ;;
esac
exec "$@" -C opt-level=2 -C codegen-units=1 -C passes=sancov-module \
    -C llvm-args=-sanitizer-coverage-level=4 \
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters \
    -C llvm-args=-sanitizer-coverage-pc-table \
    -C llvm-args=-sanitizer-coverage-trace-compares
