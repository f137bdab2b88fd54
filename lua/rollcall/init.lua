-- rollcall: every user of every account, as one lazy iterator.

local client = require "rollcall.client"
local core = require "rollcall.core"
local errors = require "rollcall.errors"
local loops = require "rollcall.loop"
local merge = require "rollcall.merge"
local provider = require "rollcall.provider"
local stream = require "rollcall.stream"
local task = require "rollcall.task"

---@class rollcall.User: userdata
---@field id string?
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

-- The parentheses below keep a call from being a tail call: a raise names its caller by counting levels.
local rollcall = {}

--- Such as "1.2.3".
---@type string
rollcall.VERSION = require "rollcall.version"

--- JSON null where it has a place of its own: in arrays, and in what totable makes. It is cjson.null; in Neovim
--- without cjson it is vim.NIL.
---@type lightuserdata|userdata
rollcall.null = core.null

--- A client of a provider: one of the built-in ones by name, or a table of your own.
---@param declared string|rollcall.Provider
---@param options rollcall.ClientOptions
---@return rollcall.Client
function rollcall.client(declared, options)
  if type(declared) == "string" then
    local module = "rollcall.providers." .. declared
    local known, found = pcall(require, module)
    if not known then
      local is_missing = tostring(found):find(("module '%s' not found"):format(module), 1, true)
      error(is_missing and ("client: there is no provider %q"):format(declared)
        or ("client: the provider %q: %s"):format(declared, tostring(found)), 2)
    end
    declared = found
  end
  return (client.new(declared, options, 2))
end

--- A client of Tesouro.
---@param options rollcall.ClientOptions
---@return rollcall.Client
function rollcall.tesouro(options)
  return (client.new(require "rollcall.providers.tesouro", options, 2))
end

--- A client of Dintero.
---@param options rollcall.ClientOptions
---@return rollcall.Client
function rollcall.dintero(options)
  return (client.new(require "rollcall.providers.dintero", options, 2))
end

--- Several streams as one, concurrently: `for user, source in rollcall.merge { a:users(), b:users() }`.
---@param streams rollcall.Stream[]
---@param options rollcall.MergeOptions?
---@return rollcall.Stream
function rollcall.merge(streams, options)
  merge.check(streams, options, 2)
  return stream.iterator(merge.new(streams, options, streams[1] and streams[1].loop or loops.detect()))
end

--- Runs a function as a task of the host's loop (Neovim's, luv's): inside it every call yields to the loop instead
--- of blocking, and what it may call is what may be called on the main loop. It begins in the loop's next round.
--- Where there is no loop, in a plain script, it runs to its end before this returns.
---
--- `on_done` is called on the main loop with the error or nil, and then with what the function answered. Without
--- it an error is reported as the host reports one in a callback; that the task was cancelled is not.
---@param f fun(): ...
---@param on_done (fun(err: any, ...: any))?
---@return rollcall.Task
function rollcall.spawn(f, on_done)
  task.check(f, on_done)
  return (loops.detect().spawn(f, on_done))
end

--- Checks a provider's table and answers a copy of it; raises with every mistake, a line each.
---@param declared rollcall.Provider
---@return rollcall.Provider
function rollcall.provider(declared)
  return (provider.check(declared, 2))
end

--- Is this an error object of rollcall, and no other value that was raised?
---@type fun(value: any): boolean
rollcall.is_error = errors.is

--- A user's JSON text, as it was received.
---@type fun(user: rollcall.User): string
rollcall.json = core.json

--- A user as a plain table; JSON null is rollcall.null.
---@type fun(user: rollcall.User): table
rollcall.totable = core.totable

--- Iterates over a user's own fields, without those that are null; the order is not kept.
---@type fun(user: rollcall.User): fun(table: table, key: any): any, any
rollcall.pairs = core.pairs

--- What a JSON Pointer leads to in a user, without making tables of what is around it.
---@type fun(user: rollcall.User, pointer: string): any
rollcall.at = core.at

return rollcall
