//! The imported functions, as they look on the wasm side: nothing but integers, so that a script can pass any value at all.

/// Declares `mod host` with every function of the interface under the module name given. wasi_unstable has no `sock_accept`.
macro_rules! wasi_imports {
    ("wasi_unstable") => { wasi_imports!(@declare "wasi_unstable",
        #[allow(clippy::missing_safety_doc, reason = "stands in for a function that this edition lacks")]
        pub unsafe fn sock_accept(_: i32, _: i32, _: i32) -> i32 { 52 }
    ); };
    ("wasi_snapshot_preview1") => { wasi_imports!(@declare "wasi_snapshot_preview1",
        #[link(wasm_import_module = "wasi_snapshot_preview1")]
        extern "C" { pub fn sock_accept(fd: i32, flags: i32, result: i32) -> i32; }
    ); };
    (@declare $module:literal, $($accept:item)*) => {
        /// What the host offers.
        mod host {
            $($accept)*
            #[link(wasm_import_module = $module)]
            extern "C" {
                pub fn args_get(argv: i32, buffer: i32) -> i32;
                pub fn args_sizes_get(count: i32, size: i32) -> i32;
                pub fn clock_res_get(clock: i32, result: i32) -> i32;
                pub fn clock_time_get(clock: i32, precision: i64, result: i32) -> i32;
                pub fn environ_get(environ: i32, buffer: i32) -> i32;
                pub fn environ_sizes_get(count: i32, size: i32) -> i32;
                pub fn fd_advise(fd: i32, offset: i64, length: i64, advice: i32) -> i32;
                pub fn fd_allocate(fd: i32, offset: i64, length: i64) -> i32;
                pub fn fd_close(fd: i32) -> i32;
                pub fn fd_datasync(fd: i32) -> i32;
                pub fn fd_fdstat_get(fd: i32, result: i32) -> i32;
                pub fn fd_fdstat_set_flags(fd: i32, flags: i32) -> i32;
                pub fn fd_fdstat_set_rights(fd: i32, base: i64, inheriting: i64) -> i32;
                pub fn fd_filestat_get(fd: i32, result: i32) -> i32;
                pub fn fd_filestat_set_size(fd: i32, size: i64) -> i32;
                pub fn fd_filestat_set_times(fd: i32, accessed: i64, modified: i64, flags: i32) -> i32;
                pub fn fd_pread(fd: i32, vectors: i32, count: i32, offset: i64, result: i32) -> i32;
                pub fn fd_prestat_dir_name(fd: i32, path: i32, length: i32) -> i32;
                pub fn fd_prestat_get(fd: i32, result: i32) -> i32;
                pub fn fd_pwrite(fd: i32, vectors: i32, count: i32, offset: i64, result: i32) -> i32;
                pub fn fd_read(fd: i32, vectors: i32, count: i32, result: i32) -> i32;
                pub fn fd_readdir(fd: i32, buffer: i32, length: i32, cookie: i64, result: i32) -> i32;
                pub fn fd_renumber(from: i32, to: i32) -> i32;
                pub fn fd_seek(fd: i32, offset: i64, whence: i32, result: i32) -> i32;
                pub fn fd_sync(fd: i32) -> i32;
                pub fn fd_tell(fd: i32, result: i32) -> i32;
                pub fn fd_write(fd: i32, vectors: i32, count: i32, result: i32) -> i32;
                pub fn path_create_directory(fd: i32, path: i32, length: i32) -> i32;
                pub fn path_filestat_get(fd: i32, flags: i32, path: i32, length: i32, result: i32) -> i32;
                pub fn path_filestat_set_times(
                    fd: i32, flags: i32, path: i32, length: i32, accessed: i64, modified: i64, times: i32,
                ) -> i32;
                pub fn path_link(
                    fd: i32, flags: i32, path: i32, length: i32, new_fd: i32, new_path: i32, new_length: i32,
                ) -> i32;
                pub fn path_open(
                    fd: i32, follow: i32, path: i32, length: i32, oflags: i32, base: i64, inheriting: i64, flags: i32, result: i32,
                ) -> i32;
                pub fn path_readlink(fd: i32, path: i32, length: i32, buffer: i32, size: i32, result: i32) -> i32;
                pub fn path_remove_directory(fd: i32, path: i32, length: i32) -> i32;
                pub fn path_rename(fd: i32, path: i32, length: i32, new_fd: i32, new_path: i32, new_length: i32) -> i32;
                pub fn path_symlink(target: i32, target_length: i32, fd: i32, path: i32, length: i32) -> i32;
                pub fn path_unlink_file(fd: i32, path: i32, length: i32) -> i32;
                pub fn poll_oneoff(subscriptions: i32, events: i32, count: i32, result: i32) -> i32;
                pub fn proc_exit(code: i32) -> !;
                pub fn proc_raise(signal: i32) -> i32;
                pub fn random_get(buffer: i32, length: i32) -> i32;
                pub fn sched_yield() -> i32;
                pub fn sock_recv(fd: i32, vectors: i32, count: i32, flags: i32, result: i32, result_flags: i32) -> i32;
                pub fn sock_send(fd: i32, vectors: i32, count: i32, flags: i32, result: i32) -> i32;
                pub fn sock_shutdown(fd: i32, how: i32) -> i32;
            }
        }
    };
}
