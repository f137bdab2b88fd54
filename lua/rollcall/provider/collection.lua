-- One collection of a provider: where it is, how it is paged, what its items are.

local core = require "rollcall.core"
local declared_nodes = require "rollcall.paging.declared"
local field_rules = require "rollcall.fields"
local filter = require "rollcall.provider.filter"
local nodes = require "rollcall.provider.nodes"
local paging_types = require "rollcall.paging"
local pointers = require "rollcall.pointer"
local request = require "rollcall.http.request"
local schema = require "rollcall.schema"
local tables = require "rollcall.tables"

---@class rollcall.ProviderCollection
---@field path string has {name} for the values of options and filters
---@field method "GET"|"POST"|nil GET by default; a POST must change nothing, since it may be sent again
---@field body table? of a POST: its JSON body, without paging and filters
---@field content_type string? of that body, "application/json" by default
---@field parameters table<string, string>? query parameters of every request that does not follow a URL from a page
---@field items string JSON Pointer of the array; "" is the document itself
---@field empty rollcall.EmptyAnswer|rollcall.EmptyAnswer[]|nil answers without an array that mean that there are no
---  items, like a total of 0; an empty array always does
---@field id string? the field of an item, or a JSON Pointer in it, that identifies it, "id" by default
---@field paging rollcall.ProviderPaging
---@field filters table<string, rollcall.ProviderFilter>?
---@field fields table<string, string|table>? common field names, see fields.lua

--- Null or nothing in the array's place, or an answer with this status and this string in it, such as 404 and "no
--- users".
---@alias rollcall.EmptyAnswer "null"|"absent"|{ status: integer, message: string }

--- Where an answer has a value: a JSON Pointer into its body, or a header.
---@alias rollcall.Source string|{ header: string }

--- The position goes to one of query, header and body (a JSON Pointer into the body of a POST).
---@class rollcall.ProviderPaging
---@field type "none"|"cursor"|"link"|"next_url"|"page"|"offset"|"after"
---@field query string? cursor, page, offset, after: the query parameter of the token, number or offset
---@field header string?
---@field body string?
---@field size rollcall.Place? where the page size is sent
---@field max_size integer? the largest page size, which is the default
---@field next rollcall.Source? cursor: the next token; next_url: the next URL
---@field previous rollcall.Source|string|nil cursor, next_url: the same, backwards; link: the relation type of the
---  previous page, "prev"
---@field rel string? link: the relation type of the next page, "next" by default
---@field item string|string[]|nil after: JSON Pointer, in an item, of the value that the next page starts after; of
---  several the first that is there
---@field before rollcall.Place? after: where the value of the first item goes, to go backwards
---@field start integer? page: the first number, 1 by default; offset: the first offset, 0 by default
---@field step "size"|nil offset: "size" advances by the page size, for servers that leave out items which the caller
---  must not see; nil by the number of items received
---@field token "text"|"json"|nil cursor, after: "json" if it may be any JSON value, which goes into the body as
---  received
---@field total rollcall.Source? the number of items, which pages() reports; page, offset: also ends the walk
---@field pages rollcall.Source? page: the number of pages
---@field last rollcall.Source? page, offset: a flag, true on the last page
---@field more rollcall.Source? a flag, false on the last page
---@field ends string|string[]|nil what ends a walk: see README.md
---@field final string[]? cursor, next_url: values that mean that there is no next page

--- Is this field of a paging type a source, that is, where an answer has a value?
local function known_source(kind, key)
  local node = kind.schema[key]
  return node.expected == declared_nodes.source.expected
end

local function paging_node(collection)
  local paging = collection.paging
  local fields = { type = { type = "string", enum = tables.keys(paging_types), required = true } }
  local kind = type(paging) == "table" and paging_types[paging.type]
  -- For an unknown type, only that is reported.
  for _, known in pairs(kind and { kind } or paging_types) do
    for key, node in pairs(known.schema) do
      fields[key] = kind and node or {}
    end
  end
  return { type = "table", required = true, fields = fields, also = function(value, report)
    if kind and kind.check then
      kind.check(value, report)
    end
    for key in pairs(kind and kind.schema or {}) do
      local in_body = key == "body" and value.body ~= nil or type(value[key]) == "table" and value[key].body ~= nil
      if in_body and collection.method ~= "POST" then
        report(key, 'only a collection with method = "POST" has a body')
      end
      local source, items = value[key], collection.items
      if known_source(kind, key) and type(source) == "string" and type(items) == "string"
        and (source == items or source:sub(1, #items + 1) == items .. "/") then
        report(key, ("it leads to the list of items at %s, which says nothing of its pages"):format(schema.show(items)))
      elseif known_source(kind, key) and type(source) == "string" and source ~= "" and type(items) == "string"
        and items:sub(1, #source + 1) == source .. "/" then
        report(key, ("the list of items at %s is inside it"):format(schema.show(items)))
      end
    end
  end }
end

--- Can it be written as JSON? A table must be a list without holes, or have string keys only.
local function is_json(value)
  if type(value) == "table" then
    local is_list = tables.is_list(value)
    for key, child in pairs(value) do
      if not (is_list or type(key) == "string") or not is_json(child) then
        return false
      end
    end
    return true
  end
  return type(value) == "string" or type(value) == "boolean" or value == core.null
    or type(value) == "number" and value == value and value > -math.huge and value < math.huge
end

--- What is sent with a request to the collection: the place (a table, or the name of a query parameter), the name in
--- messages, and the path of its declaration in the collection.
local function sent_with(collection, given)
  local sent = {}
  local function add(place, name, path)
    place = type(place) == "string" and { query = place } or tables.table_or_empty(place)
    sent[#sent + 1] = { place = place, name = name, path = path or name }
  end
  local auth = tables.table_or_empty(given.auth)
  add({ header = auth.name or "Authorization" }, "auth", "") -- not part of the collection
  for _, key in ipairs(tables.keys(tables.table_or_empty(given.headers))) do
    add({ header = key }, "headers." .. key, "")
  end
  for _, key in ipairs(tables.keys(tables.table_or_empty(collection.parameters))) do
    add(key, "parameters." .. key)
  end
  local kind = type(collection.paging) == "table" and paging_types[collection.paging.type]
  local parts = { "paging", "paging.size", "paging.before" }
  for i, place in pairs(kind and kind.places(collection.paging) or {}) do
    add(place, parts[i])
  end
  for _, key in ipairs(tables.keys(tables.table_or_empty(collection.filters))) do
    add(collection.filters[key], "filters." .. key)
  end
  return sent
end

--- Reports a pointer into the body that leads to no free place: to something that is there already, or to the inside of
--- another value's place.
local function check_member(pointer, path, collection, taken, report)
  local obstacle = request.obstacle(tables.table_or_empty(collection.body), pointer)
  if obstacle then
    report(path, ("%s leads nowhere: %s"):format(schema.show(pointer), obstacle))
  end
  for _, other in ipairs(tables.keys(taken)) do
    local short, long = #other < #pointer and other or pointer, #other < #pointer and pointer or other
    if long:sub(1, #short + 1) == short .. "/" then
      report(path, ("%s and the place of %s are one inside the other"):format(schema.show(pointer), taken[other]))
    end
  end
end

--- Reports what is sent to a place that is taken already.
local function check_places(collection, given, report)
  local taken = { query = {}, header = {}, body = {}, path = {} } -- names of the owners, by place
  for _, one in ipairs(sent_with(collection, given)) do
    for _, kind in ipairs { "query", "header", "body", "path" } do
      local at = one.place[kind]
      if type(at) == "string" then
        local key = kind == "header" and at:lower() or at
        local owner = taken[kind][key]
        if owner then
          report(one.path, ("%s is the place of %s already"):format(schema.show(at), owner))
        elseif kind == "body" then
          check_member(at, one.path, collection, taken.body, report)
        end
        taken[kind][key] = owner or one.name
      end
    end
  end
end

--- Reports an {option} in parameters, which would be sent as it stands; in a body, whose strings may have braces of
--- their own, only one that is a whole string.
local function check_options(collection, options, report)
  local function tell(path, name)
    if name and options[name] then
      report(path, ("an option stands in paths only; what is sent here for {%s} is a filter with required = true")
        :format(name))
    end
  end
  for key, value in pairs(tables.table_or_empty(collection.parameters)) do
    for name in (type(value) == "string" and value or ""):gmatch "{([%w_]+)}" do
      tell("parameters." .. tostring(key), name)
    end
  end
  local function check_body(value, path)
    for key, child in pairs(tables.table_or_empty(value)) do
      check_body(child, path .. "." .. tostring(key))
    end
    tell(path, type(value) == "string" and value:match "^{([%w_]+)}$")
  end
  check_body(collection.body, "body")
end

local one_empty = { type = "string|table", expected = "null, absent or { status, message }, or a list of them",
  fields = nodes.answer.fields, test = function(value)
    return type(value) == "table" or value == "null" or value == "absent"
  end }

--- The answers that mean that there are no users: one, or several.
local function empty_node(declared)
  local is_list = type(declared) == "table" and declared[1] ~= nil
  return is_list and { type = "table", values = one_empty } or one_empty
end

--- Such as application/json; charset="utf-8" (RFC 9110, 8.3.1).
local function is_media_type(text)
  local token = "[%w!#$%%&'*+.^_`|~-]+"
  local rest = text:match("^" .. token .. "/" .. token .. "(.*)$")
  while rest and rest ~= "" do
    local value = rest:match("^ ?; ?" .. token .. "=(.+)$") or ""
    rest = value:match("^" .. token .. "(.*)$") or value:match('^"[^"%c]*"(.*)$')
  end
  return rest == ""
end

--- The node of a collection of this provider.
---@param declared any the collection, as given
---@param given table the provider, as given
---@return rollcall.Schema
return function(declared, given)
  local options = given.options
  local collection = tables.table_or_empty(declared)
  local path_filters = {}
  for _, one in pairs(tables.table_or_empty(collection.filters)) do
    if type(one) == "table" and type(one.path) == "string" then
      path_filters[one.path] = true
    end
  end
  return { type = "table", fields = {
    path = schema.required(nodes.path(options, path_filters)),
    method = { type = "string", enum = { "GET", "POST" } },
    body = { type = "table", test = function(value)
      return collection.method ~= "POST" and 'only a collection with method = "POST" has a body' or is_json(value)
        or "it cannot be written as JSON"
    end },
    content_type = { type = "string", expected = "a media type such as application/json", test = function(value)
      return collection.method ~= "POST" and 'only a collection with method = "POST" has a body'
        or is_media_type(value)
    end },
    parameters = { type = "table", keys = declared_nodes.parameter, values = { type = "string" } },
    items = schema.required(schema.pointer),
    empty = empty_node(collection.empty),
    id = { type = "string", expected = "the name of a field, or a JSON Pointer, of at most 126 bytes",
      test = function(value)
        local pointer = pointers.of(value)
        local good = schema.pointer.test(pointer)
        return good == true and value ~= "" and #pointer < 128 or good ~= true and good
      end },
    paging = paging_node(collection),
    filters = { type = "table", keys = filter.names(collection.paging), values = filter.node(collection) },
    fields = { type = "table", keys = nodes.name, fields = schema.each(collection.fields, function(rule)
      return field_rules.schema(rule, options)
    end) },
  }, also = function(value, report)
    check_places(value, given, report)
    check_options(value, tables.table_or_empty(options), report)
  end }
end
