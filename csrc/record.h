/* record.h - the record: one item as a flat Lua userdata, read field by field. */
#ifndef RC_RECORD_H
#define RC_RECORD_H

#include "compat.h"
#include "field.h"

#pragma GCC visibility push(hidden)

typedef struct rc_record rc_record;

/* Pushes a record with room for this many fields and bytes, without a type. Like every allocation
 * it may run finalizers, which are Lua: what was looked at before must be looked at again. */
rc_record *rc_record_push_empty(lua_State *L, uint32_t field_count, uint32_t length);

/* Copies the object into the record on top, which has room for exactly that, and gives it the type
 * at stack index `type`. Allocates nothing. */
void rc_record_fill(lua_State *L, rc_record *record, const rc_object *object, int type);

/* Shows the record at the index as an object, which lasts as long as the record; raises unless one
 * stands there. */
void rc_record_check_object(lua_State *L, int index, rc_object *object);

/* Raises unless a record type (a table from record_type) stands at the index. */
void rc_record_check_type(lua_State *L, int index);

/* Pushes the type of records without common fields. */
void rc_record_push_plain_type(lua_State *L);

/* Adds record_type, json, totable, pairs and at to the table on top. */
void rc_record_open(lua_State *L);

#pragma GCC visibility pop

#endif
