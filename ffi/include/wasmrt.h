/*
 * libwasmrt: one WebAssembly sandbox that behaves the same on every engine.
 *
 * Made from the sources by cbindgen; changes belong there.
 *
 * Handles. Types without visible members are handles. A function whose name ends in `_new`, or whose text says so, hands one
 * out; `_delete` of that type takes it back, and takes NULL, too. Whatever a function is given stays the caller's, unless
 * its text says that it takes it. Texts and bytes that an accessor returns belong to the handle and last as long as it.
 *
 * Errors. A function that can fail has `wasmrt_error_t **error` as its last parameter, which may be NULL. When it succeeds,
 * NULL is written there; when it fails, an error, which belongs to the caller. How a guest ends, be it by a trap or by
 * running into a limit, is no error but an outcome. A NULL where something is needed is an error of kind
 * WASMRT_ERROR_INVALID_INPUT; accessors without an error parameter return 0, false or NULL for it.
 *
 * Threads. wasmrt_runtime_t, wasmrt_module_t, wasmrt_run_t, wasmrt_outcome_t and wasmrt_cancel_t may be used by any number of
 * threads at once. wasmrt_instance_t may be used on any thread, by one at a time; a second one is refused with
 * WASMRT_ERROR_BUSY. All other handles are for one thread at a time. Nobody may use a handle while, or after, it is deleted.
 *
 * Texts are UTF-8 and end with a zero byte.
 */


#ifndef WASMRT_H
#define WASMRT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WASMRT_VERSION_MAJOR 0
#define WASMRT_VERSION_MINOR 1
#define WASMRT_VERSION_PATCH 0
#define WASMRT_VERSION "0.1.0"

/* For fuel, durations and sizes: as the spec says, or not known. */
#define WASMRT_UNSET UINT64_MAX


// What went wrong, as far as a caller can act on it. Codes and names are stable; later versions may know more of them.
typedef enum {
  // No error.
  WASMRT_OK = 0,
  // What was asked for makes no sense: a malformed size, two preopens of one guest path.
  WASMRT_ERROR_INVALID_INPUT = 1,
  // A file that the caller named does not exist.
  WASMRT_ERROR_NOT_FOUND = 2,
  // The operating system refused: permissions, a read-only file system, a missing privilege.
  WASMRT_ERROR_PERMISSION_DENIED = 3,
  // The bytes are no WebAssembly module: an ELF file, a script, an empty or damaged file.
  WASMRT_ERROR_NOT_WASM = 4,
  // A WebAssembly module that breaks the specification's rules.
  WASMRT_ERROR_INVALID_MODULE = 5,
  // The module, or the run, is above a limit before it has even started.
  WASMRT_ERROR_LIMIT_EXCEEDED = 6,
  // The module wants functions, memories, tables or globals that nobody offers.
  WASMRT_ERROR_MISSING_IMPORTS = 7,
  // The module does not offer the function that is to be called.
  WASMRT_ERROR_MISSING_EXPORT = 8,
  // A correct request that this engine, isolation level or machine cannot carry out. Nothing was dropped silently.
  WASMRT_ERROR_UNSUPPORTED = 9,
  // The operator's ceiling forbids it.
  WASMRT_ERROR_DENIED = 10,
  // The engine is not on this machine, or not in a version that is known.
  WASMRT_ERROR_ENGINE_UNAVAILABLE = 11,
  // Compiling took longer, or more memory, than allowed, or the compiler crashed.
  WASMRT_ERROR_COMPILE_FAILED = 12,
  // Another program has the address that is to be listened at.
  WASMRT_ERROR_ADDRESS_IN_USE = 13,
  // The caller ended it.
  WASMRT_ERROR_CANCELLED = 14,
  // As many runs are under way, and wait, as may. Later there is room again.
  WASMRT_ERROR_BUSY = 15,
  // wasmrt itself, or the machine below it, failed.
  WASMRT_ERROR_INTERNAL = 16,
} wasmrt_error_kind_t;

// How a call came out.
typedef enum {
  // It failed, as the error says. When the guest ran, the instance is spent.
  WASMRT_CALL_FAILED = 0,
  // The function returned; its values are in `results`. The instance can be called again.
  WASMRT_CALL_RETURNED = 1,
  // The guest ended: it exited, trapped or ran into a limit, as wasmrt_instance_ending tells. The instance is spent.
  WASMRT_CALL_ENDED = 2,
} wasmrt_call_t;

// The ways in which guests end.
typedef enum {
  // There is no outcome: the handle is NULL, or this library is older than what it was told.
  WASMRT_UNKNOWN_ENDING = 0,
  // The function returned, or the guest called proc_exit: see wasmrt_outcome_code.
  WASMRT_EXITED = 1,
  // It did what WebAssembly forbids: see wasmrt_outcome_trap.
  WASMRT_TRAPPED = 2,
  // It ran into a limit that ends a guest: see wasmrt_outcome_limit.
  WASMRT_LIMIT_REACHED = 3,
  // A signal ended it: see wasmrt_outcome_signal.
  WASMRT_SIGNALED = 4,
  // The engine itself died under it, alone in its process: see wasmrt_outcome_signal.
  WASMRT_ENGINE_CRASHED = 5,
} wasmrt_ending_t;

// What became of a wait.
typedef enum {
  // It failed, as the error says: the guest never started, was cancelled, or lost its process.
  WASMRT_RUN_FAILED = 0,
  // The run has ended; its outcome was handed out.
  WASMRT_RUN_ENDED = 1,
  // The run goes on.
  WASMRT_RUN_GOES_ON = 2,
} wasmrt_progress_t;

// The types of values. Vectors and references do not cross.
typedef enum {
  // 32-bit integer.
  WASMRT_I32 = 0,
  // 64-bit integer.
  WASMRT_I64 = 1,
  // 32-bit float.
  WASMRT_F32 = 2,
  // 64-bit float.
  WASMRT_F64 = 3,
} wasmrt_value_type_t;

// What guests use. Times are in nanoseconds.
typedef enum {
  // From the worker's start to its end, in nanoseconds.
  WASMRT_USAGE_WALL_TIME = 0,
  // User and system time of the worker, in nanoseconds.
  WASMRT_USAGE_CPU_TIME = 1,
  // Peak resident memory of the worker process, engine included, in bytes.
  WASMRT_USAGE_PEAK_MEMORY_BYTES = 2,
  // 64 KiB pages over all of the guest's memories.
  WASMRT_USAGE_MEMORY_PAGES = 3,
  // Fuel, when the guest was metered.
  WASMRT_USAGE_FUEL = 4,
  // Bytes written to stdout and stderr.
  WASMRT_USAGE_OUTPUT_BYTES = 5,
  // Bytes written to files.
  WASMRT_USAGE_WRITTEN_BYTES = 6,
  // Bytes received over the network.
  WASMRT_USAGE_RECEIVED_BYTES = 7,
  // Bytes sent over the network.
  WASMRT_USAGE_SENT_BYTES = 8,
  // Time spent compiling before the run, in nanoseconds; known when something had to be compiled.
  WASMRT_USAGE_COMPILE_TIME = 9,
} wasmrt_usage_t;

// Bytes that were handed out.
typedef struct wasmrt_bytes_t wasmrt_bytes_t;

// The guest that calls a host function. It is there during the call only.
typedef struct wasmrt_caller_t wasmrt_caller_t;

// Ends a call of an instance from another thread.
typedef struct wasmrt_cancel_t wasmrt_cancel_t;

// How a runtime is to be set up.
typedef struct wasmrt_config_t wasmrt_config_t;

// An error.
typedef struct wasmrt_error_t wasmrt_error_t;

// What a program offers to guests besides WASI: functions and memories. For any number of instances.
typedef struct wasmrt_imports_t wasmrt_imports_t;

// A guest in this process.
typedef struct wasmrt_instance_t wasmrt_instance_t;

// A module or component: bytes that any number of runs and instances share.
typedef struct wasmrt_module_t wasmrt_module_t;

// How a guest ended, and what it used. It does not change.
typedef struct wasmrt_outcome_t wasmrt_outcome_t;

// A run that was started.
typedef struct wasmrt_run_t wasmrt_run_t;

// What runs guests: engines, the cache of native code, and the process that guests are forked from.
typedef struct wasmrt_runtime_t wasmrt_runtime_t;

// What a run or an instance is to be: everything but the module itself.
typedef struct wasmrt_spec_t wasmrt_spec_t;

// Descriptors that a guest is to have for those of its standard streams that the spec calls piped. For any number of runs.
typedef struct wasmrt_streams_t wasmrt_streams_t;

// A value without its type.
typedef union {
  // A 32-bit integer.
  int32_t i32;
  // A 64-bit integer.
  int64_t i64;
  // A 32-bit float.
  float f32;
  // A 64-bit float.
  double f64;
  // The bits of a 32-bit value.
  uint32_t bits32;
  // The bits of a 64-bit value.
  uint64_t bits64;
} wasmrt_number_t;

// A value: its type, which is a wasmrt_value_type_t, and what it is.
typedef struct {
  // Which of the numbers it is.
  uint32_t type;
  // The number.
  wasmrt_number_t of;
} wasmrt_value_t;

// A host function. `data` is what was given with it. `args` has the values that the guest passes, `results` room for those that it gets, already of the right
// types and zero. Returns NULL when all is well, else an error (of wasmrt_error_new, or one that it got), which it gives away: the guest is ended, and the error
// reaches the caller of the call as it is.
//
// It runs on the thread of the call, must return in the ordinary way (neither longjmp nor a C++ exception), and cannot use the instance that calls it.
typedef wasmrt_error_t *(*wasmrt_host_function_t)(void *data,
                                                  wasmrt_caller_t *caller,
                                                  const wasmrt_value_t *args,
                                                  size_t args_count,
                                                  wasmrt_value_t *results,
                                                  size_t results_count);

// Called once with the data of a host function, when nothing uses it any more.
typedef void (*wasmrt_finalizer_t)(void *data);

// What a call used. Each is WASMRT_UNSET when it is not known.
typedef struct {
  // From its start to its end, host functions included, in nanoseconds.
  uint64_t wall_time;
  // Fuel, when the instance is metered.
  uint64_t fuel;
} wasmrt_call_usage_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The code of an error's kind; WASMRT_OK for NULL.
wasmrt_error_kind_t wasmrt_error_kind(const wasmrt_error_t *error);

// The stable name of an error's kind, such as "not-found". NULL for NULL. It lasts for ever.
const char *wasmrt_error_kind_name(const wasmrt_error_t *error);

// All of an error in one line: what was done, what is wrong, facts, causes, and what to do about it. NULL for NULL.
const char *wasmrt_error_text(const wasmrt_error_t *error);

// What is wrong, alone. NULL for NULL.
const char *wasmrt_error_message(const wasmrt_error_t *error);

// What was being done, or an empty text. NULL for NULL.
const char *wasmrt_error_operation(const wasmrt_error_t *error);

// What to do about it. NULL when there is no advice.
const char *wasmrt_error_hint(const wasmrt_error_t *error);

// How many facts an error has, such as a path or an engine.
size_t wasmrt_error_context_count(const wasmrt_error_t *error);

// What the fact of this number is about, from 0 on. NULL when there is none.
const char *wasmrt_error_context_key(const wasmrt_error_t *error, size_t index);

// The fact of this number, from 0 on. NULL when there is none.
const char *wasmrt_error_context_value(const wasmrt_error_t *error, size_t index);

// The exit code of a program that does nothing but run a guest and fails with this error: as wasm-run has it. 0 for NULL.
uint8_t wasmrt_error_exit_code(const wasmrt_error_t *error);

// An error of the caller's own, to be returned from a host function. `kind` is one of wasmrt_error_kind_t but WASMRT_OK. The
// message is copied. NULL when there is no such kind or the message is not UTF-8.
wasmrt_error_t *wasmrt_error_new(uint32_t kind,
                                 const char *message);

// Says in an error of the caller's own what to do about it. The text is copied. False when one of both is NULL, or no UTF-8.
bool wasmrt_error_set_hint(wasmrt_error_t *error,
                           const char *hint);

// Puts a number of the caller's into an error of its own, to be found by wasmrt_error_code. False when it is NULL.
bool wasmrt_error_set_code(wasmrt_error_t *error, int64_t code);

// Finds the number that wasmrt_error_set_code put into an error. False when there is none.
bool wasmrt_error_code(const wasmrt_error_t *error, int64_t *code);

// The error as JSON: kind, operation, message, context, hint and causes. wasmrt_string_delete takes it back.
char *wasmrt_error_to_json(const wasmrt_error_t *error, wasmrt_error_t **failure);

// Takes an error back.
void wasmrt_error_delete(wasmrt_error_t *error);

// Takes back a text that was handed out as `char *`. NULL is fine.
//
// The caller's part: The text is one that this library handed out for this, and nobody uses it any more.
void wasmrt_string_delete(char *text);

// Nothing but WASI, which is there in any case.
wasmrt_imports_t *wasmrt_imports_new(void);

// Offers a function under a module's name and its own. `params` and `results` are wasmrt_value_type_t, so many each. It takes precedence over one of WASI of the
// same name.
//
// The function and `data` are used on whatever thread an instance is used, and by several at once when several instances are. `finalizer`, unless it is NULL, is
// called with `data` when the imports and all instances made with them are deleted, and at once when this fails.
//
// The caller's part: `params` and `results` point to so many types; `function` and `finalizer` can be called with `data`.
bool wasmrt_imports_add_function(wasmrt_imports_t *imports,
                                 const char *module,
                                 const char *name,
                                 const uint32_t *params,
                                 size_t params_count,
                                 const uint32_t *results,
                                 size_t results_count,
                                 wasmrt_host_function_t function,
                                 void *data,
                                 wasmrt_finalizer_t finalizer,
                                 wasmrt_error_t **error);

// Offers a memory that each guest has for itself, of at least so many pages of 64 KiB at the start. It counts against the limit memory_bytes.
bool wasmrt_imports_add_memory(wasmrt_imports_t *imports,
                               const char *module,
                               const char *name,
                               uint64_t pages,
                               wasmrt_error_t **error);

// Takes imports back. Instances that were made with them go on.
void wasmrt_imports_delete(wasmrt_imports_t *imports);

// All of the calling guest's memory, and its size in bytes. It is there during the call only. Without a memory the size is 0. NULL for NULL.
uint8_t *wasmrt_caller_memory(const wasmrt_caller_t *caller,
                              size_t *size);

// Copies so many bytes of the calling guest's memory, from `offset` on, to `bytes`: all, or none when they do not all lie in the memory.
//
// The caller's part: `bytes` has room for `count` bytes, outside the guest's memory.
bool wasmrt_caller_memory_read(const wasmrt_caller_t *caller,
                               uint64_t offset,
                               uint8_t *bytes,
                               size_t count,
                               wasmrt_error_t **error);

// Copies so many bytes to the calling guest's memory, from `offset` on: all, or none when they do not all fit.
//
// The caller's part: `bytes` points to `count` bytes, outside the guest's memory.
bool wasmrt_caller_memory_write(const wasmrt_caller_t *caller,
                                uint64_t offset,
                                const uint8_t *bytes,
                                size_t count,
                                wasmrt_error_t **error);

// Makes an instance of a module in this process and lets it start up. `spec` may be NULL for the defaults, which are then those of isolation "in-process"; one that is
// given has to say so. `imports` may be NULL; `streams` has the descriptors of streams that the spec calls piped, or is NULL.
//
// A start-up that ends the guest is no error: wasmrt_instance_ending then tells how.
wasmrt_instance_t *wasmrt_instance_new(const wasmrt_runtime_t *runtime,
                                       const wasmrt_module_t *module,
                                       const wasmrt_spec_t *spec,
                                       const wasmrt_imports_t *imports,
                                       const wasmrt_streams_t *streams,
                                       wasmrt_error_t **error);

// Makes a new guest of the same code: fresh memories and globals, files closed, usage at 0. Host functions, and handles that cancel, stay. Start-up runs again.
bool wasmrt_instance_reset(const wasmrt_instance_t *instance,
                           wasmrt_error_t **error);

// Whether the guest can only be reset: it exited, trapped, ran into a limit, was cancelled, or a host function failed.
bool wasmrt_instance_is_spent(const wasmrt_instance_t *instance);

// How the guest ended, and what it has used until then: an outcome, which is the caller's. NULL without an error when it has not ended; what it was
// cancelled by, or failed with, was the error of that call, and is an error here, too.
wasmrt_outcome_t *wasmrt_instance_ending(const wasmrt_instance_t *instance,
                                         wasmrt_error_t **error);

// What the module offers, as a JSON array of names and types. wasmrt_string_delete takes it back.
char *wasmrt_instance_exports_json(const wasmrt_instance_t *instance, wasmrt_error_t **error);

// The engine that runs it, such as "wasmtime". NULL for NULL.
const char *wasmrt_instance_engine(const wasmrt_instance_t *instance);

// How the engine runs it: "interpreter", "baseline" or "optimized". NULL for NULL.
const char *wasmrt_instance_tier(const wasmrt_instance_t *instance);

// Takes what the guest wrote to a captured standard output since this was last asked. The bytes are the caller's. NULL without an error when it is not
// captured.
wasmrt_bytes_t *wasmrt_instance_take_stdout(const wasmrt_instance_t *instance,
                                            wasmrt_error_t **error);

// As wasmrt_instance_take_stdout, for standard error.
wasmrt_bytes_t *wasmrt_instance_take_stderr(const wasmrt_instance_t *instance, wasmrt_error_t **error);

// What ends a call of the instance from another thread. It is the caller's, and good for as long as the instance, resets included; later it does nothing.
wasmrt_cancel_t *wasmrt_instance_cancel_handle(const wasmrt_instance_t *instance,
                                               wasmrt_error_t **error);

// Ends the call that is under way, which then fails with WASMRT_ERROR_CANCELLED. False when there was none to end.
bool wasmrt_cancel(const wasmrt_cancel_t *cancel);

// Takes a handle that cancels back.
void wasmrt_cancel_delete(wasmrt_cancel_t *cancel);

// The bytes. Not NULL, unless for NULL; how many there are wasmrt_bytes_size tells.
const uint8_t *wasmrt_bytes_data(const wasmrt_bytes_t *bytes);

// How many bytes there are.
size_t wasmrt_bytes_size(const wasmrt_bytes_t *bytes);

// Takes bytes back.
void wasmrt_bytes_delete(wasmrt_bytes_t *bytes);

// Takes an instance back. Not while it is being used.
void wasmrt_instance_delete(wasmrt_instance_t *instance);

// Calls an exported function. `args` has its arguments and `results` room for exactly as many values as it returns; both may be NULL where there are none.
//
// The caller's part: `args` points to so many values and `results` to room for so many.
wasmrt_call_t wasmrt_instance_call(const wasmrt_instance_t *instance,
                                   const char *name,
                                   const wasmrt_value_t *args,
                                   size_t args_count,
                                   wasmrt_value_t *results,
                                   size_t results_count,
                                   wasmrt_error_t **error);

// As wasmrt_instance_call, under limits for this call alone, which can only be tighter than the spec's: `fuel`, and `wall_time` in nanoseconds, each WASMRT_UNSET
// for what the spec says. What the call used is in `usage`, unless that is NULL, when it returned or the guest ended.
//
// The caller's part: As wasmrt_instance_call.
wasmrt_call_t wasmrt_instance_call_within(const wasmrt_instance_t *instance,
                                          const char *name,
                                          const wasmrt_value_t *args,
                                          size_t args_count,
                                          wasmrt_value_t *results,
                                          size_t results_count,
                                          uint64_t fuel,
                                          uint64_t wall_time,
                                          wasmrt_call_usage_t *usage,
                                          wasmrt_error_t **error);

// All of a memory, and its size in bytes. `name` is that of an export; NULL means "memory", or the one that the guest imports and owns. It stays where it is until the
// instance is called, reset or deleted. An empty memory is not NULL.
uint8_t *wasmrt_instance_memory(const wasmrt_instance_t *instance,
                                const char *name,
                                size_t *size,
                                wasmrt_error_t **error);

// Copies so many bytes of a memory, from `offset` on, to `bytes`: all, or none when they do not all lie in the memory. `name` as in wasmrt_instance_memory.
//
// The caller's part: `bytes` has room for `count` bytes, outside the memory.
bool wasmrt_instance_memory_read(const wasmrt_instance_t *instance,
                                 const char *name,
                                 uint64_t offset,
                                 uint8_t *bytes,
                                 size_t count,
                                 wasmrt_error_t **error);

// Copies so many bytes to a memory, from `offset` on: all, or none when they do not all fit. `name` as in wasmrt_instance_memory.
//
// The caller's part: `bytes` points to `count` bytes, outside the memory.
bool wasmrt_instance_memory_write(const wasmrt_instance_t *instance,
                                  const char *name,
                                  uint64_t offset,
                                  const uint8_t *bytes,
                                  size_t count,
                                  wasmrt_error_t **error);

// A module of these bytes, which are copied. What it is shows when it is run: here nothing is read.
//
// The caller's part: `bytes` points to `size` bytes.
wasmrt_module_t *wasmrt_module_new(const uint8_t *bytes, size_t size, wasmrt_error_t **error);

// A module of what is in this file, which is read at once.
wasmrt_module_t *wasmrt_module_from_file(const char *path, wasmrt_error_t **error);

// How many bytes it has.
size_t wasmrt_module_size(const wasmrt_module_t *module);

// The BLAKE3 hash of its bytes, in hexadecimal. NULL for NULL, and when there is no memory left to make it.
const char *wasmrt_module_hash(const wasmrt_module_t *module);

// Takes a module back. Runs and instances of it go on.
void wasmrt_module_delete(wasmrt_module_t *module);

// How the guest ended.
wasmrt_ending_t wasmrt_outcome_ending(const wasmrt_outcome_t *outcome);

// Whether the guest ended by itself with code 0.
bool wasmrt_outcome_success(const wasmrt_outcome_t *outcome);

// The exit code of a program that does nothing but run this guest: as wasm-run has it (124 for the wall-time limit, 134 for a trap and so on).
uint8_t wasmrt_outcome_exit_code(const wasmrt_outcome_t *outcome);

// All 32 bits of the code that the guest exited with. 0 when it ended in another way.
uint32_t wasmrt_outcome_code(const wasmrt_outcome_t *outcome);

// The signal that ended the guest, or its engine. 0 when it ended in another way.
int32_t wasmrt_outcome_signal(const wasmrt_outcome_t *outcome);

// The stable name of the limit that the guest ran into, such as "wall-time". NULL when it ended in another way.
const char *wasmrt_outcome_limit(const wasmrt_outcome_t *outcome);

// The stable name of the rule that a trap broke, such as "unreachable". NULL when the guest ended in another way.
const char *wasmrt_outcome_trap(const wasmrt_outcome_t *outcome);

// What there is to say about a trap beyond the rule; may be empty. NULL when the guest ended in another way.
const char *wasmrt_outcome_trap_detail(const wasmrt_outcome_t *outcome);

// The ending in one line, for people. NULL for NULL.
const char *wasmrt_outcome_text(const wasmrt_outcome_t *outcome);

// How many functions a trap's backtrace has; 0 when the engine does not tell.
size_t wasmrt_outcome_frame_count(const wasmrt_outcome_t *outcome);

// The index in the module of a function of the backtrace; the innermost is number 0. UINT32_MAX when there is none.
uint32_t wasmrt_outcome_frame_function(const wasmrt_outcome_t *outcome, size_t index);

// The name of a function of the backtrace. NULL when the module does not say.
const char *wasmrt_outcome_frame_name(const wasmrt_outcome_t *outcome, size_t index);

// The offset in the module of the instruction. False when the engine does not tell.
bool wasmrt_outcome_frame_offset(const wasmrt_outcome_t *outcome, size_t index, uint64_t *offset);

// The source file and line of the instruction. NULL when nobody tells.
const char *wasmrt_outcome_frame_source(const wasmrt_outcome_t *outcome, size_t index);

// Finds what the guest used of one thing, which is a wasmrt_usage_t. False when it is not known: never a made-up zero.
bool wasmrt_outcome_usage(const wasmrt_outcome_t *outcome, uint32_t what, uint64_t *value);

// The engine that ran the guest, such as "wasmtime". NULL for NULL.
const char *wasmrt_outcome_engine(const wasmrt_outcome_t *outcome);

// How the engine ran it: "interpreter", "baseline" or "optimized". NULL for NULL.
const char *wasmrt_outcome_tier(const wasmrt_outcome_t *outcome);

// How many values an invoked export returned.
size_t wasmrt_outcome_result_count(const wasmrt_outcome_t *outcome);

// The value of this number, from 0 on. False when there is none.
bool wasmrt_outcome_result(const wasmrt_outcome_t *outcome, size_t index, wasmrt_value_t *value);

// What was captured of standard output, and how many bytes that is. NULL when it was not captured; with nothing in it it is not NULL. No zero byte stands
// behind it.
const uint8_t *wasmrt_outcome_stdout(const wasmrt_outcome_t *outcome,
                                     size_t *size);

// What was captured of standard error, as wasmrt_outcome_stdout.
const uint8_t *wasmrt_outcome_stderr(const wasmrt_outcome_t *outcome, size_t *size);

// How many lines there are about what the guest was refused.
size_t wasmrt_outcome_refusal_count(const wasmrt_outcome_t *outcome);

// The line of this number about what the guest was refused, from 0 on. NULL when there is none.
const char *wasmrt_outcome_refusal(const wasmrt_outcome_t *outcome, size_t index);

// What the kernel enforced on the guest's process: the version of Landlock (0: none) and whether there was a seccomp filter. False when
// it had no process of its own. Both may be NULL.
bool wasmrt_outcome_os_sandbox(const wasmrt_outcome_t *outcome,
                               uint32_t *landlock,
                               bool *seccomp);

// All of it as JSON, as `wasm-run --report json` has it; what was captured with replacement characters for what is not UTF-8.
// wasmrt_string_delete takes it back.
char *wasmrt_outcome_to_json(const wasmrt_outcome_t *outcome,
                             wasmrt_error_t **error);

// Takes an outcome back.
void wasmrt_outcome_delete(wasmrt_outcome_t *outcome);

// How many ports of this machine the system chose for a run: those that its spec publishes as port 0. Waits until they are bound, so that the functions
// below can tell of them; there are fewer when the run ended before that.
size_t wasmrt_run_published_count(const wasmrt_run_t *run,
                                  wasmrt_error_t **error);

// The address on which the machine listens for the guest at the port of this number, from 0 on. NULL when there is none, or nobody has counted them.
const char *wasmrt_run_published_address(const wasmrt_run_t *run,
                                         size_t index);

// The port on which the machine listens, as wasmrt_run_published_address. 0 when there is none.
uint16_t wasmrt_run_published_port(const wasmrt_run_t *run, size_t index);

// What port that is to the guest. 0 when there is none.
uint16_t wasmrt_run_published_guest_port(const wasmrt_run_t *run, size_t index);

// "tcp" or "udp". NULL when there is none.
const char *wasmrt_run_published_protocol(const wasmrt_run_t *run, size_t index);

// Runs a module in a process of its own and waits for its end. `spec` may be NULL for the defaults; `streams` has the descriptors of streams that
// it calls piped, and may be NULL when there are none. The outcome is the caller's.
wasmrt_outcome_t *wasmrt_run(const wasmrt_runtime_t *runtime,
                             const wasmrt_module_t *module,
                             const wasmrt_spec_t *spec,
                             const wasmrt_streams_t *streams,
                             wasmrt_error_t **error);

// Starts a run and returns at once, or, when as many are under way and wait as may, as soon as there is room. For a stream that the spec calls piped
// and that has no descriptor in `streams`, a pipe is made, whose other end wasmrt_run_take_stdin and the like hand out.
//
// The run belongs to the caller. What keeps the guest from starting is told by a wait.
wasmrt_run_t *wasmrt_run_start(const wasmrt_runtime_t *runtime,
                               const wasmrt_module_t *module,
                               const wasmrt_spec_t *spec,
                               const wasmrt_streams_t *streams,
                               wasmrt_error_t **error);

// As wasmrt_run_start, but waits for room no longer than so many milliseconds (0: not at all), and fails with WASMRT_ERROR_BUSY then.
wasmrt_run_t *wasmrt_run_start_within(const wasmrt_runtime_t *runtime,
                                      const wasmrt_module_t *module,
                                      const wasmrt_spec_t *spec,
                                      const wasmrt_streams_t *streams,
                                      uint64_t milliseconds,
                                      wasmrt_error_t **error);

// Waits for the end of a run. The outcome is the caller's, and is handed out once; whoever asks again gets WASMRT_ERROR_INVALID_INPUT.
wasmrt_outcome_t *wasmrt_run_wait(const wasmrt_run_t *run,
                                  wasmrt_error_t **error);

// Waits for the end of a run, but no longer than so many milliseconds; 0 only looks. On WASMRT_RUN_ENDED the outcome is in `outcome`, which must
// not be NULL, and is the caller's; in other cases NULL is there.
wasmrt_progress_t wasmrt_run_wait_timeout(const wasmrt_run_t *run,
                                          uint64_t milliseconds,
                                          wasmrt_outcome_t **outcome,
                                          wasmrt_error_t **error);

// Ends a run soon, from whatever thread: waits then fail with WASMRT_ERROR_CANCELLED, unless its end came first.
void wasmrt_run_cancel(const wasmrt_run_t *run);

// A descriptor that becomes readable when the run ends, for poll and the like. It is the run's: only to be polled. -1 for NULL.
int wasmrt_run_descriptor(const wasmrt_run_t *run);

// The end of a pipe that the guest's standard input comes from: closing it is the end of input. It is the caller's from then on, and is handed out once.
// -1 when there is none. (Writing to it when the guest has ended raises SIGPIPE, which programs with pipes ignore.)
int wasmrt_run_take_stdin(const wasmrt_run_t *run);

// The end of a pipe that the guest's standard output goes to, as wasmrt_run_take_stdin.
int wasmrt_run_take_stdout(const wasmrt_run_t *run);

// The end of a pipe that the guest's standard error goes to, as wasmrt_run_take_stdin.
int wasmrt_run_take_stderr(const wasmrt_run_t *run);

// Takes a run back. One that has not ended is ended.
void wasmrt_run_delete(wasmrt_run_t *run);

// The defaults: the cache that the environment names (WASMRT_CACHE_DIR, else one below the user's cache directory), no ceiling,
// wasmrt-worker where it is found, 64 runs at once, 512 that wait.
wasmrt_config_t *wasmrt_config_new(void);

// Where native code is kept. NULL: nowhere; it is then made for each run.
bool wasmrt_config_set_cache_directory(wasmrt_config_t *config, const char *directory, wasmrt_error_t **error);

// What native code may take on disk, in bytes. 2 GiB by default.
bool wasmrt_config_set_cache_bytes(wasmrt_config_t *config, uint64_t bytes, wasmrt_error_t **error);

// What no run may exceed, as a JSON object: `limits` as in a run spec, `engines` (a list of names), `preopens` and `network`
// (false to forbid them). What is left out is not bounded.
bool wasmrt_config_set_ceiling_json(wasmrt_config_t *config,
                                    const char *json,
                                    wasmrt_error_t **error);

// Where the executable wasmrt-worker is. NULL: where it is found, which is where the variable WASMRT_WORKER says, beside the
// library, or in ../libexec/wasmrt from there.
bool wasmrt_config_set_worker(wasmrt_config_t *config,
                              const char *path,
                              wasmrt_error_t **error);

// How many runs may be under way at once, 1 at least.
bool wasmrt_config_set_max_runs(wasmrt_config_t *config, size_t runs, wasmrt_error_t **error);

// How many runs may wait for others to end. Each takes a descriptor.
bool wasmrt_config_set_queue(wasmrt_config_t *config, size_t runs, wasmrt_error_t **error);

// Takes a configuration back.
void wasmrt_config_delete(wasmrt_config_t *config);

// A runtime. The configuration is copied; NULL means the defaults. Nothing is started or loaded yet: wasmrt-worker is started by
// the first run.
wasmrt_runtime_t *wasmrt_runtime_new(const wasmrt_config_t *config,
                                     wasmrt_error_t **error);

// The engines as a JSON array: `name`, and `capabilities` (version, tiers, features) or `error` (why it cannot be had). They are loaded in
// wasmrt-worker, not in this process. wasmrt_string_delete takes it back.
char *wasmrt_runtime_engines_json(const wasmrt_runtime_t *runtime,
                                  wasmrt_error_t **error);

// What a module is, as JSON: imports, exports, memories, features, and what each engine says to it. wasmrt_string_delete takes it back.
char *wasmrt_runtime_inspect_json(const wasmrt_runtime_t *runtime,
                                  const wasmrt_module_t *module,
                                  wasmrt_error_t **error);

// Makes native code for runs with this spec (NULL: the defaults) and puts it into the cache. Returns JSON: engine, tier, code_bytes, and elapsed, which
// is null when it was there already. wasmrt_string_delete takes it back.
char *wasmrt_runtime_compile_json(const wasmrt_runtime_t *runtime,
                                  const wasmrt_module_t *module,
                                  const wasmrt_spec_t *spec,
                                  wasmrt_error_t **error);

// Makes everything ready that a run of this module with this spec (NULL: the defaults) needs, so that the first run is as quick as
// later ones.
bool wasmrt_runtime_preload(const wasmrt_runtime_t *runtime,
                            const wasmrt_module_t *module,
                            const wasmrt_spec_t *spec,
                            wasmrt_error_t **error);

// How many runs there are, as JSON: running, queued, max_runs, queue, worker (its process id, or null) and restarts. wasmrt_string_delete
// takes it back.
char *wasmrt_runtime_status_json(const wasmrt_runtime_t *runtime,
                                 wasmrt_error_t **error);

// Ends all runs, as cancelled, and wasmrt-worker; returns when it is gone. Runs that are started later fail with WASMRT_ERROR_CANCELLED. Instances go on.
void wasmrt_runtime_close(const wasmrt_runtime_t *runtime);

// Takes a runtime back. Its runs and instances go on: wasmrt-worker ends with the last run.
void wasmrt_runtime_delete(wasmrt_runtime_t *runtime);

// The defaults: engine auto, a process of its own, the caller's standard streams, and nothing else of the caller's.
wasmrt_spec_t *wasmrt_spec_new(void);

// A spec from JSON, as docs/run-spec.schema.json describes it. An unknown field is an error.
wasmrt_spec_t *wasmrt_spec_from_json(const char *json, wasmrt_error_t **error);

// Another spec that says the same.
wasmrt_spec_t *wasmrt_spec_clone(const wasmrt_spec_t *spec);

// The spec as JSON. wasmrt_string_delete takes it back.
char *wasmrt_spec_to_json(const wasmrt_spec_t *spec, wasmrt_error_t **error);

// The engine: "auto", "wasmedge", "wasmtime" or "wasmer".
bool wasmrt_spec_set_engine(wasmrt_spec_t *spec, const char *engine, wasmrt_error_t **error);

// What stands between the guest and this program: "process" for runs, "in-process" for instances.
bool wasmrt_spec_set_isolation(wasmrt_spec_t *spec, const char *isolation, wasmrt_error_t **error);

// Whether to refuse to run where the kernel lacks a part of the second wall: Landlock or seccomp.
bool wasmrt_spec_set_require_os_sandbox(wasmrt_spec_t *spec, bool require, wasmrt_error_t **error);

// When to compile ahead of the run: "auto", "always", "cached" or "never".
bool wasmrt_spec_set_aot(wasmrt_spec_t *spec, const char *policy, wasmrt_error_t **error);

// How much to optimise when compiling: 0 to 3, or -1 for the engine's own default.
bool wasmrt_spec_set_optimize(wasmrt_spec_t *spec, int32_t level, wasmrt_error_t **error);

// Calls `_start`, as WASI commands have it. That is the default.
bool wasmrt_spec_set_entry_start(wasmrt_spec_t *spec, wasmrt_error_t **error);

// Calls an export by name, with its arguments as text, one for each parameter. The results are in the outcome.
//
// The caller's part: `args` points to `count` texts.
bool wasmrt_spec_set_entry_invoke(wasmrt_spec_t *spec,
                                  const char *name,
                                  const char *const *args,
                                  size_t count,
                                  wasmrt_error_t **error);

// The guest's arguments; the first one is its name for itself. They take the place of earlier ones.
//
// The caller's part: `args` points to `count` texts.
bool wasmrt_spec_set_args(wasmrt_spec_t *spec, const char *const *args, size_t count, wasmrt_error_t **error);

// One argument more.
bool wasmrt_spec_add_arg(wasmrt_spec_t *spec, const char *arg, wasmrt_error_t **error);

// The time that the guest sees is the machine's. That is the default.
bool wasmrt_spec_set_clock_real(wasmrt_spec_t *spec, wasmrt_error_t **error);

// The guest's wall clock starts at so many seconds since 1970, its monotonic one at 0; each reading moves both on by a microsecond.
bool wasmrt_spec_set_clock_fixed(wasmrt_spec_t *spec,
                                 uint64_t unix_seconds,
                                 wasmrt_error_t **error);

// The guest's randomness is the machine's, fit for keys. That is the default.
bool wasmrt_spec_set_random_real(wasmrt_spec_t *spec, wasmrt_error_t **error);

// The guest's randomness is the same for the same seed, on every machine and engine. Not fit for keys.
bool wasmrt_spec_set_random_fixed(wasmrt_spec_t *spec, uint64_t seed, wasmrt_error_t **error);

// Takes a spec back. Runs and instances that were made with it go on.
void wasmrt_spec_delete(wasmrt_spec_t *spec);

// A variable of the guest's environment. A later value takes the place of an earlier one.
bool wasmrt_spec_set_env(wasmrt_spec_t *spec, const char *name, const char *value, wasmrt_error_t **error);

// A variable of this program's environment that the guest is to have, with its value at the start of the run; left out when there is none.
bool wasmrt_spec_inherit_env(wasmrt_spec_t *spec,
                             const char *name,
                             wasmrt_error_t **error);

// A file or directory of this machine under a path of the guest; `access` is "ro" or "rw".
bool wasmrt_spec_add_preopen(wasmrt_spec_t *spec,
                             const char *host,
                             const char *guest,
                             const char *access,
                             wasmrt_error_t **error);

// Something that the guest may do on the network: "connect=HOST[:PORTS]", "listen=ADDRESS:PORT" or "resolve=NAME". Nothing is allowed by default.
bool wasmrt_spec_allow_network(wasmrt_spec_t *spec,
                               const char *rule,
                               wasmrt_error_t **error);

// A port of this machine that is the guest's: "[ADDRESS:]PORT:GUEST_PORT[/udp]", or "fd://" for sockets that systemd passed on.
bool wasmrt_spec_publish_port(wasmrt_spec_t *spec,
                              const char *port,
                              wasmrt_error_t **error);

// A limit by the name that it has in a run spec: "memory_bytes", "fuel", "cpu_time", "wall_time", "output_bytes" and so on. The value is a text such as "64MiB",
// "1000000", "1.5s" or "unlimited". NULL means the default.
bool wasmrt_spec_set_limit(wasmrt_spec_t *spec,
                           const char *name,
                           const char *value,
                           wasmrt_error_t **error);

// Where standard input comes from: "inherit" (this program's own, the default), "null" (empty) or "piped" (a pipe to be written to while the guest runs).
bool wasmrt_spec_set_stdin(wasmrt_spec_t *spec,
                           const char *source,
                           wasmrt_error_t **error);

// Standard input is these bytes, which are copied.
//
// The caller's part: `bytes` points to `size` bytes.
bool wasmrt_spec_set_stdin_bytes(wasmrt_spec_t *spec, const uint8_t *bytes, size_t size, wasmrt_error_t **error);

// Standard input is this file.
bool wasmrt_spec_set_stdin_file(wasmrt_spec_t *spec, const char *path, wasmrt_error_t **error);

// Where standard output goes: "inherit" (this program's own, the default), "null" (nowhere), "capture" (into the outcome, up to the limit output_bytes) or "piped"
// (a pipe to be read from while the guest runs).
bool wasmrt_spec_set_stdout(wasmrt_spec_t *spec,
                            const char *sink,
                            wasmrt_error_t **error);

// Standard output goes to this file, which is made or emptied.
bool wasmrt_spec_set_stdout_file(wasmrt_spec_t *spec, const char *path, wasmrt_error_t **error);

// Standard output goes into the outcome. A guest that writes more than `bytes` is ended.
bool wasmrt_spec_set_stdout_capture(wasmrt_spec_t *spec, uint64_t bytes, wasmrt_error_t **error);

// Where standard error goes, as wasmrt_spec_set_stdout.
bool wasmrt_spec_set_stderr(wasmrt_spec_t *spec, const char *sink, wasmrt_error_t **error);

// Standard error goes to this file, which is made or emptied.
bool wasmrt_spec_set_stderr_file(wasmrt_spec_t *spec, const char *path, wasmrt_error_t **error);

// Standard error goes into the outcome. A guest that writes more than `bytes` is ended.
bool wasmrt_spec_set_stderr_capture(wasmrt_spec_t *spec, uint64_t bytes, wasmrt_error_t **error);

// No descriptors yet.
wasmrt_streams_t *wasmrt_streams_new(void);

// What the guest reads. The descriptor is copied and stays the caller's.
bool wasmrt_streams_set_stdin(wasmrt_streams_t *streams, int descriptor, wasmrt_error_t **error);

// Where the guest's standard output goes. The descriptor is copied and stays the caller's.
bool wasmrt_streams_set_stdout(wasmrt_streams_t *streams, int descriptor, wasmrt_error_t **error);

// Where the guest's standard error goes. The descriptor is copied and stays the caller's.
bool wasmrt_streams_set_stderr(wasmrt_streams_t *streams, int descriptor, wasmrt_error_t **error);

// Takes them back and closes the copies.
void wasmrt_streams_delete(wasmrt_streams_t *streams);

// The version of the library that is loaded, such as "0.1.0"; WASMRT_VERSION is that of the header. It lasts for ever.
const char *wasmrt_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WASMRT_H */

/* Values, to be handed over as arguments and results. */
static inline wasmrt_value_t wasmrt_i32(int32_t i32) {
  wasmrt_value_t value;
  value.type = WASMRT_I32;
  value.of.i64 = 0;
  value.of.i32 = i32;
  return value;
}

static inline wasmrt_value_t wasmrt_i64(int64_t i64) {
  wasmrt_value_t value;
  value.type = WASMRT_I64;
  value.of.i64 = i64;
  return value;
}

static inline wasmrt_value_t wasmrt_f32(float f32) {
  wasmrt_value_t value;
  value.type = WASMRT_F32;
  value.of.i64 = 0;
  value.of.f32 = f32;
  return value;
}

static inline wasmrt_value_t wasmrt_f64(double f64) {
  wasmrt_value_t value;
  value.type = WASMRT_F64;
  value.of.f64 = f64;
  return value;
}
