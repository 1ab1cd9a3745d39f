/* Calling an exported add through C: libwasmrt, wasmtime's own C API and WasmEdge's, in turn.
 *
 *   calls WHO MODULE CALLS
 *
 * prints how many nanoseconds one call takes, of so many. WHO is a name of the table below. wasmtime's library is loaded from where WASMTIME_LIBRARY says; how large
 * its types are in that version is given when this is compiled (see c.py).
 */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wasmedge/wasmedge.h>
#include <wasmrt.h>

static void stop(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why ? why : "failed");
  exit(1);
}

static uint8_t *bytes;
static size_t size;

static void read_module(const char *path) {
  FILE *file = fopen(path, "rb");
  bytes = (uint8_t *)malloc(1 << 20);
  if (file == NULL || bytes == NULL) stop(path, NULL);
  size = fread(bytes, 1, 1 << 20, file);
  fclose(file);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Calls add so many times, with other numbers each time, and says how long one took. */
#define MEASURE(calls, ...)                                 \
  do {                                                      \
    int32_t sum = 0, i = 0;                                 \
    for (; i < 1000; i++) { __VA_ARGS__; }                         \
    double start = now();                                   \
    for (i = 0; i < (calls); i++) { __VA_ARGS__; }                 \
    printf("%.2f\n", (now() - start) / (calls));            \
    if (sum != 2 * ((calls) - 1) + 1) stop("add", "is wrong"); \
  } while (0)

/* Nobody in between: what a call through a pointer costs. */
static int32_t add(int32_t a, int32_t b) { return a + b; }

static void native(int32_t calls) {
  int32_t (*volatile pointer)(int32_t, int32_t) = add;
  MEASURE(calls, sum = pointer(i, i + 1));
}

static void wasmrt(int32_t calls, const char *engine, bool limited) {
  wasmrt_error_t *error = NULL;
  wasmrt_runtime_t *runtime = wasmrt_runtime_new(NULL, &error);
  wasmrt_module_t *module = wasmrt_module_new(bytes, size, &error);
  wasmrt_spec_t *spec = wasmrt_spec_new();
  bool good = wasmrt_spec_set_isolation(spec, "in-process", &error) && wasmrt_spec_set_engine(spec, engine, &error) &&
              (!limited || (wasmrt_spec_set_limit(spec, "fuel", "1000000", &error) && wasmrt_spec_set_limit(spec, "wall_time", "10s", &error)));
  wasmrt_instance_t *instance = good ? wasmrt_instance_new(runtime, module, spec, NULL, NULL, &error) : NULL;
  if (instance == NULL) stop(engine, wasmrt_error_text(error));
  MEASURE(calls, {
    wasmrt_value_t args[2] = {wasmrt_i32(i), wasmrt_i32(i + 1)};
    wasmrt_value_t result;
    if (wasmrt_instance_call(instance, "add", args, 2, &result, 1, &error) != WASMRT_CALL_RETURNED) stop(engine, wasmrt_error_text(error));
    sum = result.of.i32;
  });
  wasmrt_instance_delete(instance);
  wasmrt_spec_delete(spec);
  wasmrt_module_delete(module);
  wasmrt_runtime_delete(runtime);
}

/* WasmEdge by its own C API, interpreting. */
static void wasmedge(int32_t calls) {
  WasmEdge_VMContext *vm = WasmEdge_VMCreate(NULL, NULL);
  if (!WasmEdge_ResultOK(WasmEdge_VMLoadWasmFromBuffer(vm, bytes, (uint32_t)size)) || !WasmEdge_ResultOK(WasmEdge_VMValidate(vm)) ||
      !WasmEdge_ResultOK(WasmEdge_VMInstantiate(vm)))
    stop("wasmedge", NULL);
  WasmEdge_String name = WasmEdge_StringCreateByCString("add");
  MEASURE(calls, {
    WasmEdge_Value args[2] = {WasmEdge_ValueGenI32(i), WasmEdge_ValueGenI32(i + 1)};
    WasmEdge_Value result;
    if (!WasmEdge_ResultOK(WasmEdge_VMExecute(vm, name, args, 2, &result, 1))) stop("wasmedge", NULL);
    sum = WasmEdge_ValueGetI32(result);
  });
  WasmEdge_StringDelete(name);
  WasmEdge_VMDelete(vm);
}

/* wasmtime's types, as large as they are. */
union wt_number {
  int32_t i32;
  uint64_t room[(WASMTIME_VAL_SIZE - WASMTIME_VAL_OF) / 8];
};
struct wt_val {
  uint8_t kind;
  union wt_number of;
};
struct wt_instance {
  uint64_t room[8];
};
struct wt_extern {
  uint8_t kind;
  uint64_t room[15];
};
_Static_assert(sizeof(struct wt_val) == WASMTIME_VAL_SIZE && offsetof(struct wt_val, of) == WASMTIME_VAL_OF, "a value of wasmtime's");
_Static_assert(offsetof(struct wt_extern, room) == WASMTIME_EXTERN_OF && sizeof(struct wt_extern) >= WASMTIME_EXTERN_SIZE, "an extern of wasmtime's");

/* A function of wasmtime's library, as a pointer of the given type. */
#define FUNCTION(returned, name, ...)                                \
  returned (*name)(__VA_ARGS__) = NULL;                              \
  do {                                                               \
    void *found = dlsym(library, #name);                             \
    if (found == NULL) stop(#name, dlerror());                       \
    memcpy(&name, &found, sizeof found);                             \
  } while (0)

static void wasmtime(int32_t calls) {
  const char *path = getenv("WASMTIME_LIBRARY");
  void *library = path ? dlopen(path, RTLD_NOW) : NULL;
  if (library == NULL) stop("WASMTIME_LIBRARY", path ? dlerror() : "is not set");
  FUNCTION(void *, wasm_engine_new, void);
  FUNCTION(void *, wasmtime_store_new, void *, void *, void (*)(void *));
  FUNCTION(void *, wasmtime_store_context, void *);
  FUNCTION(void *, wasmtime_module_new, void *, const uint8_t *, size_t, void **);
  FUNCTION(void *, wasmtime_instance_new, void *, const void *, const void *, size_t, struct wt_instance *, void **);
  FUNCTION(bool, wasmtime_instance_export_get, void *, const struct wt_instance *, const char *, size_t, struct wt_extern *);
  FUNCTION(void *, wasmtime_func_call, void *, const void *, const struct wt_val *, size_t, struct wt_val *, size_t, void **);
  void *module = NULL, *trap = NULL;
  void *engine = wasm_engine_new();
  void *context = wasmtime_store_context(wasmtime_store_new(engine, NULL, NULL));
  struct wt_instance instance;
  struct wt_extern found;
  if (wasmtime_module_new(engine, bytes, size, &module) != NULL || wasmtime_instance_new(context, module, NULL, 0, &instance, &trap) != NULL || trap != NULL ||
      !wasmtime_instance_export_get(context, &instance, "add", 3, &found) || found.kind != 0)
    stop("wasmtime", NULL);
  MEASURE(calls, {
    struct wt_val args[2];
    struct wt_val result;
    args[0].kind = 0, args[0].of.i32 = i;
    args[1].kind = 0, args[1].of.i32 = i + 1;
    if (wasmtime_func_call(context, found.room, args, 2, &result, 1, &trap) != NULL || trap != NULL) stop("wasmtime", NULL);
    sum = result.of.i32;
  });
}

int main(int argc, char **argv) {
  if (argc != 4) stop(argv[0], "WHO MODULE CALLS");
  read_module(argv[2]);
  int32_t calls = atoi(argv[3]);
  const char *who = argv[1];
  if (strcmp(who, "native") == 0) native(calls);
  else if (strcmp(who, "wasmrt-wasmtime") == 0) wasmrt(calls, "wasmtime", false);
  else if (strcmp(who, "wasmrt-wasmtime-limited") == 0) wasmrt(calls, "wasmtime", true);
  else if (strcmp(who, "wasmrt-wasmedge") == 0) wasmrt(calls, "wasmedge", false);
  else if (strcmp(who, "wasmtime") == 0) wasmtime(calls);
  else if (strcmp(who, "wasmedge") == 0) wasmedge(calls);
  else stop(who, "nobody is called so");
  return 0;
}
