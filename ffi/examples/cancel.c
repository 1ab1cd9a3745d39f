/* Ends guests from another thread: cancel MODULE runs a module that does not end by itself, once in a process of its own and once in this one. */
#include <pthread.h>
#include <stdio.h>
#include <wasmrt.h>

/* In a process of its own: whoever has the run may end it. */
static void *cancel_run(void *run) {
  wasmrt_run_cancel((wasmrt_run_t *)run);
  return NULL;
}

/* In this process: a handle ends the call that is under way, so it is used until it met one, or nobody calls any more. */
struct call {
  wasmrt_cancel_t *cancel;
  pthread_mutex_t lock;
  bool over;
};

static void *cancel_call(void *data) {
  struct call *call = (struct call *)data;
  for (bool over = false; !over && !wasmrt_cancel(call->cancel);) {
    pthread_mutex_lock(&call->lock);
    over = call->over;
    pthread_mutex_unlock(&call->lock);
  }
  return NULL;
}

static bool was_cancelled(const char *what, wasmrt_error_t *error) {
  bool cancelled = wasmrt_error_kind(error) == WASMRT_ERROR_CANCELLED;
  printf("%s: %s\n", what, error ? wasmrt_error_kind_name(error) : "ended by itself");
  wasmrt_error_delete(error);
  return cancelled;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s MODULE\n", argv[0]);
    return 2;
  }
  wasmrt_error_t *error = NULL;
  wasmrt_runtime_t *runtime = wasmrt_runtime_new(NULL, &error);
  wasmrt_module_t *module = runtime ? wasmrt_module_from_file(argv[1], &error) : NULL;
  bool good = module != NULL;
  pthread_t thread;

  wasmrt_run_t *run = good ? wasmrt_run_start(runtime, module, NULL, NULL, &error) : NULL;
  if (run != NULL && pthread_create(&thread, NULL, cancel_run, run) == 0) {
    wasmrt_outcome_t *outcome = wasmrt_run_wait(run, &error);
    pthread_join(thread, NULL);
    wasmrt_outcome_delete(outcome);
    good = was_cancelled("run", error);
    error = NULL;
  }
  wasmrt_run_delete(run);

  wasmrt_instance_t *instance = good ? wasmrt_instance_new(runtime, module, NULL, NULL, NULL, &error) : NULL;
  struct call call = {NULL, PTHREAD_MUTEX_INITIALIZER, false};
  call.cancel = instance ? wasmrt_instance_cancel_handle(instance, &error) : NULL;
  if (call.cancel != NULL && pthread_create(&thread, NULL, cancel_call, &call) == 0) {
    wasmrt_instance_call(instance, "_start", NULL, 0, NULL, 0, &error);
    pthread_mutex_lock(&call.lock);
    call.over = true;
    pthread_mutex_unlock(&call.lock);
    pthread_join(thread, NULL);
    good = was_cancelled("call", error);
    error = NULL;
  } else {
    good = false;
  }
  if (error != NULL) fprintf(stderr, "%s\n", wasmrt_error_text(error));
  wasmrt_error_delete(error);
  wasmrt_cancel_delete(call.cancel);
  wasmrt_instance_delete(instance);
  wasmrt_module_delete(module);
  wasmrt_runtime_delete(runtime);
  return good ? 0 : 1;
}
