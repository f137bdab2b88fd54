-- Providers are tables of data. This checks one whole and names each mistake by its path.

local auth = require "rollcall.auth"
local core = require "rollcall.core"
local declared_nodes = require "rollcall.paging.declared"
local field_rules = require "rollcall.fields"
local formats = require "rollcall.formats"
local header_names = require "rollcall.header_names"
local option_names = require "rollcall.option_names"
local paging_types = require "rollcall.paging"
local query = require "rollcall.query"
local request = require "rollcall.request"
local schema = require "rollcall.schema"
local url = require "rollcall.url"

local provider = {}

---@class rollcall.Provider
---@field name string letters, digits and _
---@field base_url table<string, string>|false an https URL for each environment, `production` among them; false where
---  each customer has one, and the client's base_url must say it
---@field auth rollcall.ProviderAuth? how it knows who asks; by default a bearer token that the script brings
---@field limited { status: integer, message: string }? how the server refuses too many requests, beside 429
---@field headers table<string, string>? of every request to its collections, such as Accept
---@field options table<string, rollcall.ProviderOption>? options of the client that its paths use
---@field users rollcall.ProviderCollection? the same as collections.users
---@field collections table<string, rollcall.ProviderCollection>? what a client has a method of that name for

--- By its type:
---   bearer               the client's `token`, as `Authorization: Bearer TOKEN`
---   header               the client's `token` in a header of that name, behind the prefix
---   basic                the client's `username` and `password`
---   client_credentials   a token got for the client's `client_id` and `client_secret`; `token` works, too
---   function             what `headers` answers
---@class rollcall.ProviderAuth
---@field type "bearer"|"header"|"basic"|"client_credentials"|"function"
---@field name string? header: its name
---@field prefix string? header: what stands before the token, such as "SSWS "
---@field path string? client_credentials: of the token endpoint, below base_url
---@field url string? client_credentials: instead of path, where it is on another host
---@field body "form"|"json"|nil client_credentials: how the token request is written, "form" by default
---@field credentials "body"|"basic"|nil client_credentials: where id and secret stand, "body" by default
---@field audience string? client_credentials
---@field scope string? client_credentials
---@field parameters table<string, string>? client_credentials: more of the token request
---@field headers (fun(request: { method: string, url: string, body: string? }, secrets: table<string, string>):
---  table<string, string>?, string?)? function: the headers of a request; or nil and what is wrong
---@field expired { status: integer, message: string }? how the server calls a token expired, beside 401

---@class rollcall.ProviderOption
---@field pattern string[] Lua patterns, one of which a value matches
---@field expected string the same in words
---@field list string? the name of the option that takes a list of such values, walked concurrently
---@field required boolean?

---@class rollcall.ProviderCollection
---@field path string with {name} in it where the value of an option or of a filter goes
---@field method "GET"|"POST"|nil GET by default; a POST must change nothing, since it may be sent again
---@field body table? of a POST: what its JSON body has beside paging and filters
---@field parameters table<string, string>? query parameters of every first request
---@field items string JSON Pointer of the array; "" is the document itself
---@field empty "null"|"absent"|string[]|nil what is in the array's place where there are no items, as a total of 0
---  would say, too; an empty array is always taken
---@field id string? the field of an item by which it is known again, "id" by default
---@field paging rollcall.ProviderPaging
---@field filters table<string, rollcall.ProviderFilter>?
---@field fields table<string, string|table>? common field names, see fields.lua

--- Where an answer says something: a JSON Pointer into its body, or a header.
---@alias rollcall.Source string|{ header: string }

--- Where the position goes is one of query, header and body (a JSON Pointer into the body of a POST).
---@class rollcall.ProviderPaging
---@field type "none"|"cursor"|"link"|"next_url"|"page"|"offset"|"after"
---@field query string? cursor, page, offset, after: the query parameter of the token, number or offset
---@field header string?
---@field body string?
---@field size rollcall.Place? where the page size is sent
---@field max_size integer? the largest page size, which is the default
---@field next rollcall.Source? cursor: the next token; next_url: the next URL
---@field previous rollcall.Source|string|nil cursor, next_url: the same, backwards; link: its relation type, "prev"
---@field rel string? link: the relation type of the next page, "next" by default
---@field item string|string[]|nil after: the pointer, in an item, of what names it; or several, the first that is there
---@field before rollcall.Place? after: what takes the first item's, backwards
---@field start integer? page: the first number, 1 by default; offset: the first offset, 0 by default
---@field step "size"|nil offset: advances by what was asked for, since the server leaves out of a page what the caller
---  must not see; by what came, without
---@field token "text"|"json"|nil cursor, after: "json" where it is any JSON value, which goes into the body as it came
---@field total rollcall.Source? page, offset: how many items there are
---@field pages rollcall.Source? page: how many pages there are
---@field last rollcall.Source? page, offset: a flag, true on the last page
---@field more rollcall.Source? a flag, false on the last page
---@field ends string|string[]|nil what ends a walk: see README.md
---@field final string[]? cursor, next_url: texts that mean that there is no next page

--- It needs one of query, header, path and body.
---@class rollcall.ProviderFilter
---@field query string? the query parameter it is sent as
---@field header string? or the header
---@field path string? or the {name} in the collection's path
---@field body string? or a JSON Pointer of a member of the body
---@field enum any[]?
---@field format "uuid"|"date"|"date-time"|"integer"|"boolean"|nil see formats.lua
---@field min integer? of an integer
---@field max integer? of an integer
---@field pattern string|string[]|nil Lua patterns, one of which a value matches
---@field expected string? the same in words
---@field list "comma"|"repeat"|"bracket"|"array"|nil takes a list: a,b; x=a&x=b; x[]=a&x[]=b; in a body an array
---@field required boolean?
---@field default any

local keys_of = schema.keys

local function table_or_empty(value)
  return type(value) == "table" and value or {}
end

--- What is wrong with the {name}s in a text, true if nothing is.
local function check_names(text, options, path_filters)
  if text:gsub("{[%w_]*}", ""):find("[{}]") then
    return "a brace that is no part of an {option}"
  end
  for name in text:gmatch("{([%w_]*)}") do
    local option = type(options) == "table" and options[name]
    if path_filters and path_filters[name] then
      if type(option) == "table" then
        return ("{%s} is an option and a filter; it can be one of them"):format(name)
      end
    elseif type(option) ~= "table" then
      return ("{%s} is none of its options%s"):format(name, path_filters and ", and no filter goes there" or "")
    elseif not option.required then
      return ("{%s}: an option that it stands for must have required = true"):format(name)
    end
  end
  return true
end

local function path_node(options, path_filters)
  return { type = "string", expected = "a path that begins with /", test = function(value)
    if value:sub(1, 1) == "/" and value:find("?", 1, true) then
      return "a query in it; it goes into parameters"
    end
    return value:sub(1, 1) == "/" and not value:find("[%c%s?#]") and check_names(value, options, path_filters)
  end }
end

local function template_node(options)
  return { type = "string", test = function(value)
    return check_names(value, options)
  end }
end

local name = { type = "string", expected = "a name of letters, digits and _",
  test = function(value) return value:find("^[%a_][%w_]*$") ~= nil end }
local clean_text = { type = "string", expected = "a text without control characters", test = function(value)
  return not value:find("%c")
end }

--- What is wrong with a Lua pattern. Lua itself says so only when a match gets there.
local function pattern_problem(pattern)
  local captures, i = 0, 1
  while i <= #pattern do
    local c, after = pattern:match("^(.)(.?)", i)
    local last = i
    if c == "%" then
      if after == "" or after == "b" and i + 3 > #pattern or after == "f" and pattern:sub(i + 2, i + 2) ~= "[" then
        return "a % that breaks off"
      end
      last = after == "b" and i + 3 or i + 1
    elseif c == "[" then
      last = pattern:match("^%^?%]?()", i + 1) -- the first bracket closes nothing
      while last <= #pattern and pattern:sub(last, last) ~= "]" do
        last = last + (pattern:sub(last, last) == "%" and 2 or 1)
      end
      if last > #pattern then
        return "a [ without its ]"
      end
    elseif c == "(" or c == ")" then
      captures = captures + (c == "(" and 1 or -1)
      if captures < 0 then
        return "a ) without its ("
      end
    end
    i = last + 1
  end
  return captures > 0 and "a ( without its )" or nil
end

local lua_pattern = { type = "string", test = function(value)
  local problem = pattern_problem(value)
  if not problem then -- of what Lua looks at wherever it matches
    local good, message = pcall(string.find, "", value)
    problem = not good and tostring(message) or nil
  end
  return not problem or "no Lua pattern: " .. problem
end }

local base_url = { type = "string", expected = "an https URL without a query", test = function(value)
  local parsed, problem = url.parse(value)
  return parsed and (parsed.scheme == "https" or url.is_loopback(parsed)) and not parsed.path:find("?", 1, true)
    or problem or false
end }

--- The URL of a token endpoint, with {option}s in its path.
local function url_node(options)
  return { type = "string", expected = base_url.expected, test = function(value)
    local named = check_names(value, options)
    if named ~= true then
      return named
    end
    return base_url.test((value:gsub("{[%w_]*}", "x")))
  end }
end

-- By what an answer is told: its status, and a text in its body.
local answer_node = { type = "table", fields = {
  status = { type = "integer", min = 400, max = 599, required = true },
  message = { type = "string", required = true },
} }

local function auth_node(declared, options)
  local kind = type(declared) == "table" and auth.types[declared.type]
  local nodes = { path = path_node(options), template = template_node(options), url = url_node(options) }
  local fields = {
    type = { type = "string", enum = keys_of(auth.types), required = true },
    expired = answer_node,
  }
  -- Of a type that nobody knows, only that is said.
  for _, known in pairs(kind and { kind } or auth.types) do
    for key, node in pairs(known.schema(nodes)) do
      fields[key] = kind and node or {}
    end
  end
  return { type = "table", fields = fields, also = kind and kind.check or nil }
end

local filter_fields = {
  query = declared_nodes.parameter,
  header = header_names.free,
  path = name,
  body = declared_nodes.member,
  enum = { type = "table", values = { type = "string|number|boolean" } },
  format = { type = "string", enum = keys_of(formats) },
  min = { type = "integer" },
  max = { type = "integer" },
  pattern = { type = "string|table", values = lua_pattern, test = function(value)
    if type(value) == "table" then
      return #value > 0 or "expected at least one Lua pattern"
    end
    return lua_pattern.test(value)
  end },
  expected = { type = "string" },
  list = { type = "string", enum = { "comma", "repeat", "bracket", "array" } },
  required = { type = "boolean" },
  default = {},
}

-- Where each spelling of a list can stand.
local LISTS = { query = { comma = true, ["repeat"] = true, bracket = true }, header = { comma = true },
  body = { comma = true, array = true }, path = {} }

--- What is wrong with a filter whose fields are all in order by themselves.
local function check_filter(collection)
  return function(filter, report)
    local places = 0
    for place, lists in pairs(LISTS) do
      places = places + (filter[place] ~= nil and 1 or 0)
      if filter[place] ~= nil and filter.list ~= nil and not lists[filter.list] then
        report("list", ("%s is no spelling for a %s; it takes %s"):format(schema.show(filter.list), place,
          next(lists) and table.concat(keys_of(lists), ", ") or "none"))
      end
    end
    if places ~= 1 then
      report("", "it needs one of query, header, path and body")
    end
    if (filter.min ~= nil or filter.max ~= nil) and filter.format ~= "integer" then
      report(filter.min ~= nil and "min" or "max", 'only for format = "integer"')
    elseif type(filter.min) == "number" and type(filter.max) == "number" and filter.min > filter.max then
      report("max", "below min")
    end
    local enum_type = formats[filter.format] and formats[filter.format].type or "string"
    for i, value in ipairs(type(filter.enum) == "table" and filter.enum or {}) do
      local problems = schema.check(value, { type = enum_type, test = function(text)
        local is_lost = type(text) == "string"
          and (text:find("%c") or filter.path and (text == "" or text:find("^%.%.?$")))
        return not is_lost or "it cannot be sent there"
      end })
      if problems[1] then
        report(("enum.%d"):format(i), problems[1])
      end
    end
    if type(filter.enum) == "table" and #filter.enum == 0 then
      report("enum", "expected at least one value")
    end
    if filter.pattern ~= nil and formats[filter.format] and formats[filter.format].type ~= "string" then
      report("pattern", ("format = %s takes none"):format(schema.show(filter.format)))
    end
    if filter.path ~= nil then
      if filter.required ~= true and filter.default == nil then
        report("path", "a filter that stands in the path must have required = true, or a default")
      end
      local named = "{" .. tostring(filter.path) .. "}"
      if type(collection.path) == "string" and not collection.path:find(named, 1, true) then
        report("path", "the collection's path has no " .. named)
      end
    end
    if filter.body ~= nil and collection.method ~= "POST" then
      report("body", 'only a collection with method = "POST" has a body')
    end
    if filter.default ~= nil then
      local sound = #schema.check(filter, { type = "table", fields = filter_fields }) == 0
      local problem = sound and schema.check(filter.default, query.filter_schema(filter))[1]
      if problem then
        report("default", problem)
      end
    end
  end
end

--- A filter must not take the place of what every walk understands.
local function filter_names(paging)
  local kind = type(paging) == "table" and type(paging.type) == "string" and paging_types[paging.type]
  local taken = kind and query.schema({ paging = { type = paging.type, size = paging.size } }).fields or {}
  return { type = "string", expected = name.expected, test = function(value)
    return taken[value] and "every walk has an option of that name" or name.test(value)
  end }
end

--- Is this field of a paging type where an answer says something?
local function known_source(kind, key)
  local node = kind.schema[key]
  return node.expected == declared_nodes.source.expected
end

local function paging_node(collection)
  local paging = collection.paging
  local fields = { type = { type = "string", enum = keys_of(paging_types), required = true } }
  local kind = type(paging) == "table" and paging_types[paging.type]
  -- Of a type that nobody knows, only that is said.
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

--- A schema for a map whose keys are its maker's: a node for each of them.
local function each(map, make)
  local fields = {}
  for key, value in pairs(table_or_empty(map)) do
    fields[tostring(key)] = make(value)
  end
  return fields
end

---@type table<table, table> what a frozen table shows
local plain_of = setmetatable({}, { __mode = "k" })

--- The table that a frozen one shows; any other value as it is.
---@generic T
---@param value T
---@return T
function provider.thaw(value)
  return plain_of[value] or value
end

-- What stands for a table within itself: no field takes it.
local function itself() end

--- A copy of a table all of whose parts are plain: parts of frozen ones may stand in it.
local function plain_copy(value, copies)
  value = provider.thaw(value)
  if type(value) ~= "table" then
    return value
  elseif copies[value] then
    return copies[value]
  end
  local copy = {}
  copies[value] = itself
  for key, child in pairs(value) do
    copy[key] = plain_copy(child, copies)
  end
  copies[value] = copy
  return copy
end

--- Can it be written as JSON? A table is either a list without holes or has names.
local function is_json(value)
  if type(value) == "table" then
    local is_list = schema.is_list(value)
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

local function base_url_node(map)
  if map == false then
    return {}
  end
  local fields = each(map, function()
    return base_url
  end)
  fields.production = schema.required(base_url)
  return { type = "table", required = true, keys = name, fields = fields }
end

local check_places

local function collection_node(declared, options, given)
  local collection = table_or_empty(declared)
  local path_filters = {}
  for _, filter in pairs(table_or_empty(collection.filters)) do
    if type(filter) == "table" and type(filter.path) == "string" then
      path_filters[filter.path] = true
    end
  end
  return { type = "table", fields = {
    path = schema.required(path_node(options, path_filters)),
    method = { type = "string", enum = { "GET", "POST" } },
    body = { type = "table", test = function(value)
      return collection.method ~= "POST" and 'only a collection with method = "POST" has a body' or is_json(value)
        or "it cannot be written as JSON"
    end },
    parameters = { type = "table", keys = declared_nodes.parameter, values = { type = "string" } },
    items = schema.required(schema.pointer),
    empty = declared_nodes.words { "null", "absent" },
    id = { type = "string", expected = "the name of a field", test = function(value)
      return value ~= "" and #value < 64
    end },
    paging = paging_node(collection),
    filters = { type = "table", keys = filter_names(collection.paging),
      values = { type = "table", fields = filter_fields, also = check_filter(collection) } },
    fields = { type = "table", keys = name, fields = each(collection.fields, function(rule)
      return field_rules.schema(rule, options)
    end) },
  }, also = check_places(table_or_empty(given)) }
end

--- Reports what is sent to a place where another thing is sent already.
function check_places(given)
  return function(collection, report)
    local known = {}
    local function add(place, path, what)
      if type(place) == "string" then
        place = { query = place }
      end
      for _, kind in ipairs { "query", "header", "body", "path" } do
        local at = type(place) == "table" and type(place[kind]) == "string" and place[kind]
        local obstacle = at and kind == "body" and request.obstacle(table_or_empty(collection.body), at)
        if obstacle then
          report(path, ("%s leads nowhere: %s"):format(schema.show(at), obstacle))
        end
        local key = at and kind .. " " .. (kind == "header" and at:lower() or at)
        if key and known[key] then
          report(path, ("%s is the place of %s already"):format(schema.show(at), known[key]))
        elseif key then
          for _, other in ipairs(kind == "body" and keys_of(known) or {}) do
            local short, long = #other < #key and other or key, #other < #key and key or other
            if long:sub(1, #short + 1) == short .. "/" then
              report(path, ("%s and the place of %s are one inside the other"):format(schema.show(at), known[other]))
            end
          end
          known[key] = what
        end
      end
    end
    local auth_of = table_or_empty(given.auth)
    add({ header = auth_of.type == "header" and auth_of.name or "Authorization" }, "", "auth")
    for _, key in ipairs(keys_of(table_or_empty(given.headers))) do
      add({ header = key }, "", "headers." .. key)
    end
    for _, key in ipairs(keys_of(table_or_empty(collection.parameters))) do
      add(key, "parameters." .. key, "parameters." .. key)
    end
    local paging = collection.paging
    local kind = type(paging) == "table" and paging_types[paging.type]
    if kind then
      local where = { "", ".size", ".before" }
      for i, place in pairs(kind.places(paging)) do
        add(place, "paging" .. where[i], "paging" .. where[i])
      end
    end
    for _, key in ipairs(keys_of(table_or_empty(collection.filters))) do
      add(collection.filters[key], "filters." .. key, "filters." .. key)
    end
  end
end

-- What a client has beside its collections.
local TAKEN = { close = true, provider = true, base_url = true, loop = true, shared = true }

local collection_name = { type = "string", expected = name.expected, test = function(value)
  return TAKEN[value] and "every client has something of that name" or name.test(value)
end }

local of_every_client = {}
for _, one in ipairs(option_names) do
  of_every_client[one] = true
end

local option_name = { type = "string", expected = name.expected, test = function(value)
  return of_every_client[value] and "every client has an option of that name" or name.test(value)
end }

local option_fields = {
  pattern = { type = "table", required = true, values = lua_pattern, expected = "a list of Lua patterns",
    test = function(value)
      return #value > 0
    end },
  expected = { type = "string", required = true },
  list = option_name,
  required = { type = "boolean" },
}

--- Reports names that two options, or lists of them, have.
local function check_options(options, report)
  local known = {}
  for key in pairs(options) do
    known[key] = "an option"
  end
  for _, key in ipairs(keys_of(options)) do
    local list = type(options[key]) == "table" and options[key].list
    if type(list) == "string" and known[list] then
      report(key .. ".list", ("%s is the name of %s already"):format(list, known[list]))
    elseif type(list) == "string" then
      known[list] = "another list"
    end
  end
end

local function provider_node(declared)
  local given = table_or_empty(declared)
  local options = given.options
  return { type = "table", fields = {
    name = schema.required(name),
    base_url = base_url_node(given.base_url),
    auth = auth_node(given.auth, options),
    limited = answer_node,
    headers = { type = "table", keys = header_names.free, values = clean_text },
    options = { type = "table", keys = option_name, values = { type = "table", fields = option_fields },
      also = check_options },
    users = collection_node(given.users, options, given),
    collections = { type = "table", keys = collection_name, expected = "at least one collection",
      fields = each(given.collections, function(collection)
        return collection_node(collection, options, given)
      end), test = function(value)
        return next(value) ~= nil
      end },
  }, also = function(value, report)
    if value.users == nil and value.collections == nil then
      report("users", "missing; expected a collection (or collections, for those of other names)")
    elseif value.users ~= nil and type(value.collections) == "table" and value.collections.users ~= nil
      and value.collections.users ~= value.users then -- as it is in one that was checked before
      report("collections.users", "users is declared twice")
    end
  end }
end

--- Checks a provider and answers a copy of it, in which all its collections are in `collections`; raises
--- with every mistake, a line each.
---@param declared rollcall.Provider
---@param level integer? of the caller that the message names
---@return rollcall.Provider
function provider.check(declared, level)
  declared = plain_copy(declared, {})
  local problems = schema.check(declared, provider_node(declared))
  if #problems > 0 then
    local title = type(declared) == "table" and type(declared.name) == "string" and " " .. declared.name or ""
    error(("provider%s:\n  %s"):format(title, table.concat(problems, "\n  ")), (level or 1) + 1)
  end
  local copy = schema.copy(declared)
  copy.collections = copy.collections or {}
  copy.collections.users = copy.collections.users or copy.users
  copy.users = copy.collections.users
  return copy
end

-- -- frozen ones -------------------------------------------------------------------------------

--- A view of a table that nobody can change through it. LuaJIT's `pairs` and `#` see nothing of it; its
--- fields are there on every Lua.
---@generic T
---@param plain T
---@return T
function provider.freeze(plain)
  local views = setmetatable({}, { __mode = "v" })
  local view = {}
  plain_of[view] = plain
  local function show(value)
    if type(value) ~= "table" then
      return value
    end
    views[value] = views[value] or provider.freeze(value)
    return views[value]
  end
  return setmetatable(view, {
    __index = function(_, key)
      return show(plain[key])
    end,
    __newindex = function(_, key)
      error(("a provider cannot be changed once it is made: %s"):format(tostring(key)), 2)
    end,
    __pairs = function()
      return function(_, key)
        local following, value = next(plain, key)
        return following, show(value)
      end, view, nil
    end,
    __len = function()
      return #plain
    end,
    __metatable = false,
  })
end

return provider
