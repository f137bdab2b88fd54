-- rollcall: every user of every account, as one lazy iterator.

if _VERSION ~= "Lua 5.4" and not package.loaded.jit then
  error("rollcall needs Lua 5.4 or LuaJIT 2.1, not " .. _VERSION, 0)
end

local built_in = require "rollcall.provider.built_in"
local client = require "rollcall.client"
local core = require "rollcall.core"
local errors = require "rollcall.errors"
local frozen = require "rollcall.provider.frozen"
local loops = require "rollcall.loop"
local provider = require "rollcall.provider"
local stream = require "rollcall.stream"
local task = require "rollcall.task"

---@class rollcall.User: userdata
---@field id string|number|nil
---@field email string?
---@field name string?
---@field status string?
---@field created_at string? RFC 3339
---@field updated_at string? RFC 3339
---@field last_seen_at string? RFC 3339
---@field account_id string?
---@field account_name string?
---@field role_names string[]?
---@field mfa boolean?
---@field provider string
---@field [string] any the provider's own fields

-- The parentheses below prevent tail calls: errors find the caller by counting levels.

---@class rollcall
---@field tesouro fun(options: rollcall.ClientOptions): rollcall.Client a client of Tesouro
---@field dintero fun(options: rollcall.ClientOptions): rollcall.Client a client of Dintero
---@field scim fun(options: rollcall.ClientOptions): rollcall.Client a client of a service that speaks SCIM 2.0
---@field github fun(options: rollcall.ClientOptions): rollcall.Client a client of a GitHub organization's members
---@field okta fun(options: rollcall.ClientOptions): rollcall.Client a client of Okta
---@field where fun(expressions: string|string[], options: rollcall.WhereOptions?): rollcall.Predicate
---  for stream:filter, from expressions such as "status=ACTIVE" and "last_seen_at<90d": true for users for whom all of
---  them hold. See lua/rollcall/where.lua for their syntax
---@field csv fun(columns: rollcall.Column[], options: rollcall.CsvOptions?): rollcall.Csv a writer of CSV (RFC 4180)
---  with these fields: `header()` and `row(user)` return lines
---@field ndjson fun(columns: rollcall.Column[]?): fun(user: rollcall.User|table): string a function that makes a line
---  of JSON from a user: with these fields, or as received if none are given
---@field time rollcall.Time RFC 3339 times as seconds since 1970 and back, and durations such as "90d" in seconds
---@field [string] fun(options: rollcall.ClientOptions): rollcall.Client a client of the provider with that name
local rollcall = {}

-- Parts that a walk does not need are loaded on first use: loading them would cost every script time and memory.
local parts = {
  csv = function()
    return require("rollcall.csv").new
  end,
  ndjson = function()
    return require("rollcall.ndjson").new
  end,
  time = function()
    return require "rollcall.time"
  end,
  where = function()
    return require("rollcall.where").all
  end,
}

--- The table of a built-in provider by its name; any other value as it is. Raises at the caller's caller.
local function named(caller, declared)
  if type(declared) ~= "string" then
    return declared
  end
  local good, found = pcall(built_in, declared)
  if not good or not found then
    error(("%s: %s"):format(caller, good and ("there is no provider %q"):format(declared) or tostring(found)), 3)
  end
  return found
end

--- rollcall.NAME is a part, or a function that makes a client of the provider providers/NAME.lua.
setmetatable(rollcall, { __index = function(self, name)
  if parts[name] then
    local part = parts[name]()
    rawset(self, name, part)
    return part
  end
  local declared = built_in(name)
  if declared then
    rawset(self, name, function(options)
      if options == rollcall then
        error(("%s: call it with '.', as in rollcall.%s { … }"):format(name, name), 2)
      end
      return (client.new(declared, options, 2))
    end)
  end
  return rawget(self, name)
end })

--- Such as "1.2.3".
---@type string
rollcall.VERSION = require "rollcall.version"

--- JSON null in arrays and in the result of totable. It is cjson.null; in Neovim without cjson it is vim.NIL.
---@type lightuserdata|userdata
rollcall.null = core.null

--- A client of a provider: a built-in one by name, or a custom table.
---@param declared string|rollcall.Provider
---@param options rollcall.ClientOptions
---@return rollcall.Client
function rollcall.client(declared, options)
  return (client.new(named("client", declared), options, 2))
end

--- Several streams as one, concurrently: `for user, source in rollcall.merge { a:users(), b:users() }`.
---@param streams rollcall.Stream[]
---@param options rollcall.MergeOptions?
---@return rollcall.Stream
function rollcall.merge(streams, options)
  local merge = require "rollcall.merge"
  merge.check(streams, options, 2)
  return stream.iterator(merge.new(streams, options, streams[1] and streams[1].loop or loops.detect()))
end

--- Runs a function as a task of the host's loop (nginx's, Neovim's, luv's): inside it every call yields to the loop
--- instead of blocking, and it may call whatever may be called on the main loop. It begins in the loop's next round.
--- Without a loop, in a plain script, it runs to its end before `spawn` returns.
---
--- `on_done` is called on the main loop with the error or nil, followed by the function's results. Without it an error
--- is reported as the host reports errors in callbacks, except for the cancellation of the task.
---@param f fun(): ...
---@param on_done (fun(err: any, ...: any))?
---@return rollcall.Task
function rollcall.spawn(f, on_done)
  task.check(f, on_done)
  return (loops.detect().spawn(f, on_done))
end

--- Checks a provider's table and returns a copy of it; raises with every mistake, one line each.
---@param declared rollcall.Provider
---@return rollcall.Provider frozen: nothing in it can be changed
function rollcall.provider(declared)
  return (frozen.freeze(provider.check(declared, 2)))
end

--- Tries a provider on hostile servers, in this process and on loopback only, and compares it with what its API's
--- documentation shows. For development: it needs LuaSocket and takes some seconds. `print` shows the result.
---@param declared string|rollcall.Provider
---@param options rollcall.ConformanceOptions?
---@return rollcall.ConformanceReport
function rollcall.conformance(declared, options)
  return (require("rollcall.conformance").run(named("conformance", declared), options, 2))
end

--- Is this an error object of rollcall, as opposed to any other raised value?
---@type fun(value: any): boolean
rollcall.is_error = errors.is

--- A user's JSON text, as it was received.
---@type fun(user: rollcall.User): string
rollcall.json = core.json

--- A user as a plain table; JSON null is rollcall.null.
---@type fun(user: rollcall.User): table
rollcall.totable = core.totable

--- Iterates over a user's own fields, except those that are null; the order is not kept.
---@type fun(user: rollcall.User): (fun(table: table, key: any?): any, any), table
rollcall.pairs = core.pairs

--- The value at a JSON Pointer in a user, without making tables of what is around it.
---@type fun(user: rollcall.User, pointer: string): any
rollcall.at = core.at

return rollcall
