//! The imported functions, as they look on the wasm side: nothing but integers, so that a script can pass any value at all.

/// Declares `mod host` with the functions given, which come in two editions, and those that do not.
macro_rules! socket_imports {
    ($($name:ident = $link:literal $arguments:tt;)*) => {
        socket_imports! { @declare $($name = $link $arguments;)*
            sock_shutdown = "sock_shutdown" (fd, how);
            sock_getsockopt = "sock_getsockopt" (fd, level, name, value, size);
            sock_setsockopt = "sock_setsockopt" (fd, level, name, value, size);
            sock_getaddrinfo = "sock_getaddrinfo" (node, node_length, service, service_length, hints, results, most, found);
            fd_read = "fd_read" (fd, vectors, count, result);
            fd_write = "fd_write" (fd, vectors, count, result);
            fd_close = "fd_close" (fd);
            fd_fdstat_get = "fd_fdstat_get" (fd, result);
            fd_fdstat_set_flags = "fd_fdstat_set_flags" (fd, flags);
            poll_oneoff = "poll_oneoff" (subscriptions, events, count, result);
        }
    };
    (@declare $($name:ident = $link:literal ($($argument:ident),*);)*) => {
        /// What the host offers.
        #[allow(clippy::too_many_arguments, reason = "as the interface has it")]
        mod host {
            #[link(wasm_import_module = "wasi_snapshot_preview1")]
            extern "C" {
                $(#[link_name = $link] pub fn $name($($argument: i32),*) -> i32;)*
            }

            /// The function of this name with exactly these numbers; nothing if there is none that takes so many.
            pub unsafe fn raw(name: &str, numbers: &[i32]) -> Option<i32> {
                match (name, numbers) {
                    $((stringify!($name), &[$($argument),*]) => Some($name($($argument),*)),)*
                    _ => None,
                }
            }
        }
    };
}
