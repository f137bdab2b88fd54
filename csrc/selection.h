/* selection.h - some fields of an item as Lua values, without a record. */
#ifndef RC_SELECTION_H
#define RC_SELECTION_H

#include "compat.h"
#include "field.h"

#pragma GCC visibility push(hidden)

#define RC_SELECTION_MAX 64 /* values */

typedef struct rc_selection rc_selection;

/* The selection at the index; raises unless one stands there. Without a look-up by name, as it runs
 * once a record. */
rc_selection *rc_selection_check(lua_State *L, int index);

/* How many values it pushes, with the true before them. */
int rc_selection_size(const rc_selection *selection);

/* Pushes true and what the selection at stack index `index` gives of the object, whose text it
 * copies into scratch memory before it pushes anything, since a finalizer may then run and free it.
 * false, with nothing pushed: it takes a record, for a rule that is a function or a text that is
 * too long. Like the next one, it needs room for the values and LUA_MINSTACK more, and absolute
 * indices. */
bool rc_selection_push(lua_State *L, int index, const rc_object *object);

/* The same of a record, which stands at stack index `record`. */
void rc_selection_push_of_record(lua_State *L, int index, int record);

/* Adds selection to the table on top. */
void rc_selection_open(lua_State *L);

#pragma GCC visibility pop

#endif
