// CUDA's driver with host memory for a GPU's. It does at once what is enqueued, records CUDA graphs
// and runs them again, keeps count of all that it has given out, and can be made to fail.
#include <stdlib.h>
#include <string.h>

#define INVALID_VALUE 1
#define OUT_OF_MEMORY 2
#define CAPTURE_UNSUPPORTED 900
#define THREAD_LOCAL 1  // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
#define BLOCKS 64
#define OPERATIONS 16

typedef unsigned long long address;

struct operation { void *target; const void *source; size_t size; void (*call)(void); };
struct graph { char kind; int count; struct operation operations[OPERATIONS]; };

static size_t left = MEMORY, sizes[BLOCKS];
static void *blocks[BLOCKS];
static __thread int depth;
static int retained, lost, capturing, pinned, graphs, executables, launches;
static struct graph recorded;
static char stream_place;  // its address is the only stream's handle

// For the tests.
void lose(int status) { lost = status; }
int contexts_here(void) { return depth; }
int contexts_retained(void) { return retained; }
int memory_left(void) { return (int) left; }
int count_pinned(void) { return pinned; }
int is_capturing(void) { return capturing; }
int count_graphs(void) { return graphs; }
int count_executables(void) { return executables; }
int count_launches(void) { return launches; }
address the_stream(void) { return (address) &stream_place; }

static void run(const struct operation *each) {
  if (each->call) each->call(); else memcpy(each->target, each->source, each->size);
}

static int enqueue(address stream, struct operation each) {
  if (lost) return lost;
  if (stream != the_stream()) return INVALID_VALUE;
  if (!capturing) run(&each);
  else if (recorded.count == OPERATIONS) return OUT_OF_MEMORY;
  else recorded.operations[recorded.count++] = each;
  return 0;
}

// What an engine does when it is run.
int enqueue_call(address stream, void (*call)(void)) {
  return enqueue(stream, (struct operation) {.call = call});
}

int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int number) { *device = 0; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strcpy(name, "Host memory"); return 0; }
int cuDeviceGetAttribute(int *value, int which, int device) {
  *value = which == 76 ? 6 : 8;  // compute capability 8.6
  return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
  *context = &retained; retained++; return 0;
}
int cuDevicePrimaryCtxRelease_v2(int device) { retained--; return 0; }
int cuCtxPushCurrent_v2(void *context) { depth++; return 0; }
int cuCtxPopCurrent_v2(void **context) { if (!lost) depth--; return lost; }
int cuGetErrorName(int error, const char **text) { *text = "said by the driver"; return 0; }
int cuGetErrorString(int error, const char **text) { *text = "said by the driver"; return 0; }

int cuMemAlloc_v2(address *at, size_t size) {
  if (lost) return lost;
  if (capturing) return CAPTURE_UNSUPPORTED;
  if (size > left) return OUT_OF_MEMORY;
  for (int i = 0; i < BLOCKS; i++) if (!blocks[i]) {
    blocks[i] = malloc(size); sizes[i] = size; left -= size; *at = (address) blocks[i]; return 0;
  }
  return OUT_OF_MEMORY;
}
int cuMemFree_v2(address at) {
  for (int i = 0; i < BLOCKS; i++) if (blocks[i] == (void *) at) {
    free(blocks[i]); blocks[i] = 0; left += sizes[i];
  }
  return 0;
}
int cuMemGetInfo_v2(size_t *free, size_t *total) { *free = left; *total = MEMORY; return lost; }
int cuMemHostAlloc(void **at, size_t size, unsigned flags) {
  *at = malloc(size); pinned++; return lost;
}
int cuMemFreeHost(void *at) { free(at); pinned--; return 0; }

int cuStreamCreate(void **stream, unsigned flags) { *stream = &stream_place; return lost; }
int cuStreamDestroy_v2(void *stream) { return 0; }
int cuStreamSynchronize(address stream) { return capturing ? CAPTURE_UNSUPPORTED : lost; }
int cuMemcpyHtoDAsync_v2(address target, const void *source, size_t size, address stream) {
  return enqueue(stream, (struct operation) {(void *) target, source, size});
}
int cuMemcpyDtoHAsync_v2(void *target, address source, size_t size, address stream) {
  return enqueue(stream, (struct operation) {target, (void *) source, size});
}
int cuMemcpyDtoDAsync_v2(address target, address source, size_t size, address stream) {
  return enqueue(stream, (struct operation) {(void *) target, (void *) source, size});
}

int cuStreamBeginCapture_v2(address stream, int mode) {
  if (stream != the_stream() || mode != THREAD_LOCAL || capturing) return INVALID_VALUE;
  capturing = 1; recorded.count = 0; return 0;
}
int cuStreamEndCapture(address stream, struct graph **graph) {
  if (stream != the_stream() || !capturing) return INVALID_VALUE;
  capturing = 0; graphs++;
  *graph = malloc(sizeof recorded); **graph = recorded; (*graph)->kind = 'g'; return 0;
}
int cuGraphInstantiateWithFlags(struct graph **executable, struct graph *graph, address flags) {
  if (graph->kind != 'g' || flags) return INVALID_VALUE;
  if (lost) return lost;
  executables++;
  *executable = malloc(sizeof recorded); **executable = *graph; (*executable)->kind = 'e'; return 0;
}
int cuGraphDestroy(struct graph *graph) {
  if (!graph || graph->kind != 'g') return INVALID_VALUE;
  graphs--; free(graph); return 0;
}
int cuGraphLaunch(struct graph *executable, address stream) {
  if (executable->kind != 'e' || stream != the_stream()) return INVALID_VALUE;
  if (lost) return lost;
  launches++;
  for (int i = 0; i < executable->count; i++) run(&executable->operations[i]);
  return 0;
}
int cuGraphExecDestroy(struct graph *executable) {
  if (executable->kind != 'e') return INVALID_VALUE;
  executables--; free(executable); return 0;
}
