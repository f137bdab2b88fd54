-- Checks that every public name is annotated (LuaCATS), and that no annotation is stale:
--
--   LUA_PATH=… LUA_CPATH=… lua spec/support/types.lua
--
-- The native module against core.d.lua, both ways; the modules that users meet, and the options of clients and
-- queries, against their sources' annotations; in every source the parameters that annotations name.

local core = require "rollcall.core"
local rollcall = require "rollcall"
local tables = require "rollcall.tables"

local bad = 0

local function complain(...)
  bad = bad + 1
  io.stderr:write(string.format(...), "\n")
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

---@class types.Doc what stands above a definition
---@field params string[]
---@field has_return boolean
---@field has_type boolean
---@field has_text boolean

--- The definitions of a source, by name as it is written there ("methods:next"), and its classes' fields.
local function parse(path)
  local definitions, classes, class, doc = {}, {}, nil, nil
  local number = 0
  for line in (read(path) .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    local annotation = line:match "^%-%-%-(.*)$"
    if annotation then
      doc = doc or { params = {} }
      local kind, rest = annotation:match "^@(%w+)%s*(.*)$"
      if kind == "param" then
        doc.params[#doc.params + 1] = rest:match "^([%w_%.]+)"
      elseif kind == "return" then
        doc.has_return = true
      elseif kind == "type" then
        doc.has_type = true
      elseif kind == "class" then
        class = rest:match "^([%w_%.]+)"
        classes[class] = {}
      elseif kind == "field" and class then
        classes[class][#classes[class] + 1] = rest:match "^([%w_]+)" -- not [string]
      elseif not kind and annotation:find "%S" then
        doc.has_text = true
      end
    else
      local name, parameters = line:match "^%s*l?o?c?a?l?%s*function ([%w_%.:]+)%((.-)%)"
      name = name or line:match "^([%w_]+%.[%w_]+) = " or line:match "^local ([%w_]+) = "
      if name then
        local known = {}
        for parameter in (parameters or ""):gmatch "[%w_%.]+" do
          known[parameter], known[#known + 1] = true, parameter
        end
        definitions[name] = { path = path, line = number, doc = doc, parameters = known,
          is_function = parameters ~= nil }
      end
      doc, class = nil, nil
    end
  end
  return definitions, classes
end

--- A public definition is described: what it does, its parameters and, where `answers`, what it answers.
local function check_public(definition, name)
  local doc = definition.doc
  local function at(what, ...)
    complain("%s:%d: %s: " .. what, definition.path, definition.line, name, ...)
  end
  if not doc then
    at "no annotation"
  elseif definition.is_function then
    local described = {}
    for _, param in ipairs(doc.params) do
      described[param] = true
    end
    for _, parameter in ipairs(definition.parameters) do
      if not described[parameter] then
        at("no ---@param %s", parameter)
      end
    end
    if not doc.has_text then
      at "nothing says what it does"
    end
  elseif not doc.has_type then
    at "no ---@type"
  end
end

-- What an annotation names must be there, in every source.
local sources, classes = {}, {}
local list = assert(io.popen "find lua -name '*.lua' | sort")
for path in list:lines() do
  local definitions, found = parse(path)
  sources[path] = definitions
  for name, fields in pairs(found) do
    classes[name] = fields
  end
  for name, definition in pairs(definitions) do
    for _, param in ipairs(definition.is_function and definition.doc and definition.doc.params or {}) do
      if not definition.parameters[param] then
        complain("%s:%d: %s: ---@param %s, which it does not take", path, definition.line, name, param)
      end
    end
  end
end
list:close()

-- The native module.
local declared = sources["lua/rollcall/core.d.lua"]
local engine = core.engine()
local objects = {
  Decoder = core.decoder { items = "" },
  Engine = engine,
  Transfer = assert(engine:request { url = "http://127.0.0.1:9/" }),
  Ledger = core.ledger { id = "/id" },
  Seen = core.seen(),
  Descriptor = assert(core.duplicate(0)),
  Poller = core.poller and assert(core.poller()),
}
local real = {}
for name, value in pairs(core) do
  real["core." .. name] = true
  for inner in pairs(type(value) == "table" and not name:find "metatable" and value or {}) do
    real[("core.%s.%s"):format(name, inner)] = true
  end
end
for class, object in pairs(objects) do
  for name in pairs(debug.getmetatable(object).__index) do
    real[class .. ":" .. name] = true
  end
end
for name in pairs(real) do
  if not declared[name] then
    complain("lua/rollcall/core.d.lua: %s is not declared", name)
  else
    check_public(declared[name], name)
  end
end
--- Is it there on some systems, or on LuaJIT, only?
local function is_elsewhere(name)
  return name:find "^Poller" or name == "core.poller" or name == "core.reader"
end
for name, definition in pairs(declared) do
  if name:find "[.:]" and not real[name] and not is_elsewhere(name) then
    complain("lua/rollcall/core.d.lua:%d: %s is not there", definition.line, name)
  end
end

-- What users meet. What is loaded when it is asked for is declared as a field of the class.
local init, fields, in_class = sources["lua/rollcall/init.lua"], {}, false
for line in io.lines "lua/rollcall/init.lua" do
  if line:find "^%-%-%-@class" then
    in_class = line == "---@class rollcall"
  end
  local name = in_class and line:match "^%-%-%-@field ([%l_]+) "
  if name then
    fields[name] = true
    if rollcall[name] == nil then
      complain("lua/rollcall/init.lua: the field %s is not there", name)
    end
  end
end
for name in pairs(rollcall) do
  local definition = init["rollcall." .. name]
  if definition then
    check_public(definition, "rollcall." .. name)
  elseif not fields[name] then
    complain("lua/rollcall/init.lua: rollcall.%s is not found", name)
  end
end
for name, definition in pairs(init) do
  if name:find "^rollcall%." and rollcall[name:match "%.(.*)"] == nil then
    complain("lua/rollcall/init.lua:%d: %s is not there", definition.line, name)
  end
end
local public_methods = { client = "lua/rollcall/client.lua", stream = "lua/rollcall/stream.lua" }
for _, path in pairs(public_methods) do
  for name, definition in pairs(sources[path]) do
    if name:find "^methods:" then
      check_public(definition, name)
    end
  end
end

-- The methods that objects have are those of the sources.
local function check_methods(object, path)
  local methods = debug.getmetatable(object).__index
  -- A client's is a function, since collections have names of their own.
  for name in pairs(type(methods) == "table" and methods or {}) do
    if not sources[path]["methods:" .. name] then
      complain("%s: the method %s is not found", path, name)
    end
  end
end
local client = rollcall.tesouro { token = "x" }
check_methods(client, public_methods.client)
check_methods((client:users()), public_methods.stream)

--- Annotated options are those that are taken: what is not known is said to be unknown.
local function check_options(class, takes, names)
  local annotated = {}
  for _, name in ipairs(classes[class] or {}) do
    annotated[name] = true
    if not takes(name) then
      complain("%s: the field %s is no option", class, name)
    end
  end
  for _, name in ipairs(names) do
    if takes(name) and not annotated[name] then
      complain("%s: the option %s is not annotated", class, name)
    end
  end
end

--- Every word of a source that may be an option's name.
local function words(path)
  local found, known = {}, {}
  for _, pattern in ipairs { "\n%s+([%l_]+) = ", "fields%.([%l_]+) = " } do
    for name in read(path):gmatch(pattern) do
      found[#found + 1] = not known[name] and name or nil
      known[name] = true
    end
  end
  return found
end

local function is_known(make, provider_names)
  return function(name)
    for _, provider in ipairs(provider_names) do
      local _, problem = pcall(make, provider, { [name] = print })
      if not tostring(problem):find(name .. ": unknown", 1, true) then
        return true
      end
    end
    return false
  end
end

check_options("rollcall.ClientOptions", is_known(function(provider, options)
  return rollcall.client(provider, options)
end, { "tesouro", "dintero", "github", "okta", "scim" }), words "lua/rollcall/client_options.lua")

-- Of a walk's options each is taken by some collection of some provider, or by all: what fails then is another one.
local collections, options_of_walks = {}, words "lua/rollcall/query.lua"
for _, made in ipairs { client, rollcall.dintero { token = "x", accounts = { "T123" } },
  rollcall.github { token = "x", orgs = { "acme" } }, rollcall.okta { token = "x", base_url = "https://x.example" },
  rollcall.scim { token = "x", base_url = "https://x.example" } } do
  local its = require("rollcall.providers." .. made.provider.name)
  for name, collection in pairs(tables.with(its.collections or {}, { users = its.users })) do
    collections[#collections + 1] = function(options)
      return made[name](made, options)
    end
    for filter in pairs(collection.filters or {}) do
      options_of_walks[#options_of_walks + 1] = filter
    end
  end
end
check_options("rollcall.Query", is_known(function(walk, options)
  return walk(options)
end, collections), options_of_walks)

local statistics = {}
for name in pairs((client:users()):stats()) do
  statistics[#statistics + 1] = name
end
check_options("rollcall.Stats", function(name)
  return (client:users()):stats()[name] ~= nil or name == "total" -- which Tesouro does not say
end, statistics)

if bad > 0 then
  io.stderr:write(bad, " mistakes in annotations\n")
  os.exit(1)
end
