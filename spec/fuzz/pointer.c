/* JSON Pointers: what one leads to is what a search in a plain tree of the document finds. Input: a
 * line with the pointer, then the document. */
#include "pointer.h"

#include "fuzz.h"

typedef struct node {
  size_t parent; /* 0 for the root, which is nodes[1] */
  char *name;    /* owned; decoded, or the index as text */
  size_t name_length;
  rc_span span;
} node;

typedef struct tree {
  node *nodes;
  size_t count, capacity;
} tree;

static char *decoded(const char *text, size_t length, bool escaped, size_t *decoded_length) {
  char *name = fuzz_copy(text, length);
  *decoded_length = escaped ? rc_json_unescape(name, name, length) : length;
  return name;
}

static size_t add_node(tree *t, node added) {
  if (t->count == t->capacity) {
    t->capacity = t->capacity > 0 ? t->capacity * 2 : 32;
    t->nodes = realloc(t->nodes, t->capacity * sizeof(node));
    CHECK(t->nodes != NULL);
  }
  t->nodes[t->count] = added;
  return t->count++;
}

/* False where the document is not valid. */
static bool build(tree *t, const char *text, size_t length) {
  static size_t open[RC_JSON_DEPTH_CAP + 1];
  static size_t index[RC_JSON_DEPTH_CAP + 1];
  rc_json json;
  rc_json_init(&json, RC_JSON_DEPTH_CAP);
  const char *p = text;
  char *key = NULL;
  size_t key_length = 0;
  rc_json_event event = RC_JSON_MORE;
  (void)add_node(t, (node){0});
  open[0] = 0;
  for (;;) {
    event = rc_json_next(&json, &p, text + length);
    if (event == RC_JSON_MORE) {
      event = rc_json_finish(&json);
    }
    if (event == RC_JSON_KEY) {
      free(key);
      key = decoded(text + json.start + 1, (size_t)(json.offset - json.start - 2),
                    (json.flags & RC_JSON_ESCAPED) != 0, &key_length);
    } else if (event == RC_JSON_OPEN || event == RC_JSON_SCALAR) {
      const unsigned level = json.depth - (event == RC_JSON_OPEN);
      node n = {.parent = open[level], .name = key, .name_length = key_length};
      n.span = (rc_span){text + json.start, (size_t)(json.offset - json.start), json.type,
                         event == RC_JSON_SCALAR ? json.flags : 0};
      if (key == NULL && level > 0) {
        n.name = malloc(24);
        CHECK(n.name != NULL);
        n.name_length = (size_t)sprintf(n.name, "%zu", index[level]++);
      }
      key = NULL;
      const size_t at = add_node(t, n);
      if (event == RC_JSON_OPEN) {
        open[json.depth] = at;
        index[json.depth] = 0;
      }
    } else if (event == RC_JSON_CLOSE) {
      rc_span *span = &t->nodes[open[json.depth + 1]].span;
      span->length = (size_t)(text + json.offset - span->bytes);
    } else {
      break;
    }
  }
  free(key);
  return event == RC_JSON_END;
}

/* The last child of this name; 0 for none. */
static size_t child_of(const tree *t, size_t parent, const char *name, size_t length) {
  for (size_t i = t->count - 1; i > parent; i--) {
    const node *n = &t->nodes[i];
    if (n->parent == parent && n->name_length == length && memcmp(n->name, name, length) == 0) {
      return i;
    }
  }
  return 0;
}

/* Follows the pointer's text; false where it is none, with *found 0 where it leads nowhere. */
static bool follow(const tree *t, const char *text, size_t length, size_t *found) {
  char *name = fuzz_copy(text, length); /* room for any segment */
  size_t at = 0;
  unsigned segments = 0;
  bool good = true;
  *found = 1;
  while (at < length && good) {
    size_t n = 0;
    good = text[at++] == '/' && ++segments <= RC_POINTER_SEGMENTS;
    while (good && at < length && text[at] != '/') {
      char c = text[at++];
      if (c == '~') {
        good = at < length && (text[at] == '0' || text[at] == '1');
        c = good && text[at] == '1' ? '/' : '~';
        at++;
      }
      name[n++] = c;
    }
    if (good && *found != 0) {
      *found = child_of(t, *found, name, n);
    }
  }
  free(name);
  return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_input input = {data, size};
  const fuzz_input line = fuzz_line(&input);
  char *text = fuzz_copy(input.data, input.size);
  char *pointer_text = fuzz_copy(line.data, line.size);
  tree t = {0};
  rc_pointer pointer;
  const bool is_document = build(&t, text, input.size);
  const char *problem = rc_pointer_parse(&pointer, pointer_text, line.size);
  if (is_document) {
    size_t expected = 0;
    const bool is_pointer = follow(&t, (const char *)line.data, line.size, &expected);
    CHECK(is_pointer == (problem == NULL));
    if (is_pointer) {
      rc_span found = {0};
      const bool any = rc_pointer_find(&pointer, 0, t.nodes[1].span, &found);
      CHECK(any == (expected != 0));
      if (any) {
        const rc_span *span = &t.nodes[expected].span;
        CHECK(found.bytes == span->bytes && found.length == span->length);
        CHECK(found.type == span->type && found.flags == span->flags);
      }
    }
  } else if (problem == NULL) {
    CHECK(pointer.count <= RC_POINTER_SEGMENTS);
  }
  for (size_t i = 0; i < t.count; i++) {
    free(t.nodes[i].name);
  }
  free(t.nodes);
  free(pointer_text);
  free(text);
  return 0;
}
