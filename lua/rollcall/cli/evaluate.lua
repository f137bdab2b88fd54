-- Evaluates a configuration file: Lua without globals, which can call nothing and must end.

local failure = require "rollcall.cli.failure"

local MAX_BYTES = 2 ^ 20 -- a larger file was named by mistake
local MAX_STEPS = 1e7
local MAX_KIB = 2 ^ 13
-- Steps between two checks (5.4 counts the hook's, too): few, so that a string that is doubled again and again does not
-- exhaust the machine.
local BETWEEN_LOOKS = 16

local function read(file, name)
  local text, problem = file:read(MAX_BYTES + 1)
  file:close()
  if problem then
    failure.usage("cannot read %s: %s", name, problem)
  end
  text = text or ""
  if #text > MAX_BYTES then
    failure.usage("%s: it is longer than 1 MiB; expected a configuration, some lines of Lua", name)
  elseif text:byte() == 27 then
    failure.usage("%s: it is compiled; a configuration is text", name)
  end
  return (text:gsub("^\239\187\191", ""):gsub("^#[^\n]*", "")) -- as Lua reads files
end

--- A hook that ends a chunk that runs forever or takes too much memory.
local function limit()
  collectgarbage() -- old garbage would hide what is added
  local steps, start = 0, collectgarbage "count"
  return function()
    steps = steps + BETWEEN_LOOKS
    if steps > MAX_STEPS then
      error("it does not come to an end", 0)
    elseif collectgarbage "count" - start > MAX_KIB then
      error("it takes too much memory", 0)
    end
  end
end

--- Calls a chunk that can reach no function of Lua's, not even the methods of strings.
local function call(chunk)
  local texts = getmetatable ""
  local methods = texts.__index
  texts.__index = function(_, key)
    error("a text has no " .. (methods[key] and key or "field") .. " here: a configuration can call nothing", 2)
  end
  local jit = rawget(_G, "jit")
  if jit then
    jit.off(chunk, true) -- compiled loops would not be counted
  end
  debug.sethook(limit(), "", BETWEEN_LOOKS)
  local good, value = pcall(chunk)
  debug.sethook()
  texts.__index = methods
  return good, value
end

--- Does a table contain itself?
local function is_endless(value, around)
  if type(value) ~= "table" then
    return false
  elseif around[value] ~= nil then
    return around[value]
  end
  around[value] = true
  for _, part in pairs(value) do
    if is_endless(part, around) then
      return true
    end
  end
  around[value] = false -- already checked
  return false
end

local reserved = {}
for word in ("and break do else elseif end false for function goto if in local nil not or repeat return then true "
  .. "until while <eof> <name>"):gmatch "%S+" do
  reserved[word] = true
end

local NO_SECRET = "; texts stand in quotes, and a configuration can call nothing"
local NO_FUNCTION = '; a configuration is data and can call nothing: a secret is { env = "NAME" } or { command = "…" }'

--- A message of Lua's without what it quotes from the file, be it a name or a string: if quotes were forgotten, that is
--- a secret. Lua's own words are kept.
---@param problem string
---@param name string of the file
---@param quoted string pattern of what is quoted
---@return string
local function discreet(problem, name, quoted)
  local place, text = "", problem
  if text:sub(1, #name + 1) == name .. ":" then
    place, text = name, text:sub(#name + 1)
  end
  local names_library = false
  local cut = text:gsub("<goto [^>]*>", "<goto ...>"):gsub(quoted, function(word)
    local is_of_library = rawget(_G, word) ~= nil
    names_library = names_library or is_of_library
    local is_own = not word:find "%w" or reserved[word] or is_of_library
    return not is_own and "'...'" or nil
  end)
  return place .. cut .. (cut ~= text and NO_SECRET or names_library and NO_FUNCTION or "")
end

--- Reads and runs a configuration; ends the command if it is none.
---@param file file* is closed here
---@param name string of the file
---@return table
local function evaluate(file, name)
  local chunk, problem = load(read(file, name), "@" .. name, "t", {})
  if not chunk then
    failure.usage("%s", discreet(problem:gsub(" near .*$", ""), name, "'([^']*)'")) -- what is cut off may be a secret
  end
  local good, value = call(chunk)
  if not good then
    local text = discreet(tostring(value), name, "'(.*)'") -- a quoted string may contain quotes
    failure.usage("%s", text:find(name .. ":", 1, true) and text or name .. ": " .. text)
  elseif type(value) ~= "table" then
    failure.usage("%s: it returns %s; expected `return { sources = { … } }`", name,
      value == nil and "nothing" or "a " .. type(value))
  elseif is_endless(value, {}) then
    failure.usage("%s: it returns a table that has itself inside", name)
  end
  return value
end

return evaluate
