-- The error object of every failure: raised by a `for` loop, returned by every method.

local core = require "rollcall.core"
local one_line = require "rollcall.one_line"

---@alias rollcall.ErrorKind
---| "network"    # no connection, or one that broke
---| "timeout"    # nothing arrived in time
---| "tls"        # certificate or handshake
---| "http"       # a status other than success
---| "auth"       # credentials refused
---| "rate_limit" # 429 or the like; the wait it asks for is too long or retries are used up
---| "decode"     # the body is not what the provider declares
---| "loop"       # a repeated page token or page, or endless empty pages
---| "budget"     # max_requests, max_bytes or deadline
---| "closed"     # the stream, client or task was closed

---@class rollcall.Error
---@field kind rollcall.ErrorKind
---@field message string one readable line, without secrets
---@field provider string? its name
---@field account string? the account whose walk it ended, if the provider has accounts
---@field status integer? the HTTP status
---@field code string? the provider's own code, or the decoder's
---@field request_id string? the provider's, for its support
---@field method string?
---@field url string? without secrets
---@field attempts integer? how often the request was sent
---@field retry_after number? seconds the server asked to wait
---@field offset integer? byte of the body at which decoding failed, from 0
---@field body string? the response body, cut at 8 KiB
---@field checkpoint string? where to continue, see Stream:checkpoint
---@field before rollcall.User[]|integer|nil from `collect`: the users that came before it; from `count`: their number

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
