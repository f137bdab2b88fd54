-- The one error object: what every failure is, raised by a `for` and returned by every method.

local core = require "rollcall.core"
local one_line = require "rollcall.one_line"

---@alias rollcall.ErrorKind
---| "network"    # no connection, or one that broke
---| "timeout"    # nothing came in time
---| "tls"        # certificate or handshake
---| "http"       # a status that is no success
---| "auth"       # credentials refused
---| "rate_limit" # 429, and the waits it asks for are too long
---| "decode"     # the body is not what the provider declares
---| "loop"       # a page token came twice
---| "budget"     # max_requests, max_bytes or deadline
---| "closed"     # the stream, client or task was closed

---@class rollcall.Error
---@field kind rollcall.ErrorKind
---@field message string one readable line, without secrets
---@field provider string? its name
---@field account string? whose walk it ended, where the provider has accounts
---@field status integer? the HTTP status
---@field code string? the provider's own code, or the decoder's
---@field request_id string? what the provider's support asks for
---@field method string?
---@field url string? without secrets
---@field attempts integer? how often the request was sent
---@field retry_after number? seconds the server asked to wait
---@field offset integer? byte of the body at which decoding failed, from 0
---@field body string? the answer's body, cut at 8 KiB
---@field checkpoint string? where to go on from, see Stream:checkpoint
---@field before rollcall.User[]|integer|nil of collect: the users that came before it; of count: how many they are

local Error = core.error_metatable
local errors = {}

errors.MAX_BODY = 8192

--- Makes an error object. The fields are copied onto it.
---@param kind rollcall.ErrorKind
---@param message string
---@param fields table?
---@return rollcall.Error
function errors.new(kind, message, fields)
  local err = { kind = kind, message = message }
  for name, value in pairs(fields or {}) do
    err[name] = value
  end
  return setmetatable(err, Error)
end

--- Is this an error object?
---@param value any
---@return boolean
function errors.is(value)
  return type(value) == "table" and getmetatable(value) == Error
end

Error.__name = "rollcall.error"

function Error.__tostring(err)
  local notes = {}
  if err.method and err.url then
    notes[#notes + 1] = err.method .. " " .. err.url
  end
  if err.status then
    notes[#notes + 1] = ("status %d"):format(err.status)
  end
  if err.offset then
    notes[#notes + 1] = ("byte %d"):format(err.offset)
  end
  if err.request_id then
    notes[#notes + 1] = "request " .. err.request_id
  end
  if err.attempts and err.attempts > 1 then
    notes[#notes + 1] = ("%d attempts"):format(err.attempts)
  end
  local line = ("%s: %s%s"):format(err.kind, err.provider and err.provider .. ": " or "", err.message)
  if #notes > 0 then
    line = line .. " (" .. table.concat(notes, ", ") .. ")"
  end
  return one_line(line)
end

return errors
