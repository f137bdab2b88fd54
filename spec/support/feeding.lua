-- Feeds a document to a decoder in every way that it can be cut: what comes out must not depend on it.

local core = require "rollcall.core"

local feeding = {}

---@class spec.Outcome
---@field users userdata[]
---@field texts string[] their JSON
---@field captured table<string, any>
---@field code string? of the error, as are offset and message
---@field offset integer?
---@field message string?

local function same_error(one, other)
  return one.kind == other.kind and one.code == other.code and one.offset == other.offset
    and one.message == other.message
end

local function take_all(decoder, outcome)
  while true do
    local user, err = decoder:next()
    if user == nil then
      return err
    end
    outcome.users[#outcome.users + 1] = user
    outcome.texts[#outcome.texts + 1] = core.json(user)
  end
end

--- What a decoder makes of these chunks. Users are taken after each chunk, or `late`, once all were fed.
---@param options table of core.decoder
---@param chunks string[]
---@param late boolean?
---@return spec.Outcome
function feeding.outcome(options, chunks, late)
  local decoder = core.decoder(options)
  local outcome = { users = {}, texts = {}, captured = {} }
  local good, err = true, nil
  for _, chunk in ipairs(chunks) do
    good, err = decoder:feed(chunk)
    if not late then
      take_all(decoder, outcome)
    end
    if not good then
      break
    end
  end
  if good then
    good, err = decoder:finish()
  end
  local again = take_all(decoder, outcome)
  for _, pointer in ipairs(options.capture or {}) do
    outcome.captured[pointer] = decoder:captured(pointer, options.containers and "json" or nil)
  end
  if good then
    assert(good == true and err == nil and again == nil, "no error where all is well")
  else
    assert(err.kind == "decode" and same_error(err, again), "next gives the error after the users")
    outcome.code, outcome.offset, outcome.message = err.code, err.offset, err.message
  end
  return outcome
end

--- A line that is equal for equal outcomes.
function feeding.describe(outcome)
  local captured = {}
  for pointer, value in pairs(outcome.captured) do
    captured[#captured + 1] = ("%s=%s(%s)"):format(pointer, type(value), tostring(value))
  end
  table.sort(captured)
  return ("users [%s], captured [%s], error %s at %s: %s"):format(table.concat(outcome.texts, "|"),
    table.concat(captured, "|"), tostring(outcome.code), tostring(outcome.offset), tostring(outcome.message))
end

local function bytes_of(text)
  local bytes = {}
  for at = 1, #text do
    bytes[at] = text:sub(at, at)
  end
  return bytes
end

--- The outcome of the document fed whole. Raises unless it is the same for the document cut in two at every byte
--- (before the first and after the last one, too), cut into bytes, and cut into bytes with the users taken late.
---@param options table of core.decoder
---@param text string
---@return spec.Outcome
function feeding.every_way(options, text)
  local whole = feeding.outcome(options, { text })
  local expected = feeding.describe(whole)
  local function check(how, chunks, late)
    local got = feeding.describe(feeding.outcome(options, chunks, late))
    if got ~= expected then
      error(("%q\n  whole: %s\n  %s: %s"):format(text, expected, how, got), 3)
    end
  end
  for at = 0, #text do
    check("cut at " .. at, { text:sub(1, at), text:sub(at + 1) })
  end
  local bytes = bytes_of(text)
  check("byte by byte", bytes)
  check("byte by byte, users taken late", bytes, true)
  return whole
end

--- Cuts the text into chunks of 1 to `most` bytes, by a random generator.
---@return string[]
function feeding.cut(text, generator, most)
  local chunks, at = {}, 1
  while at <= #text do
    local size = generator:int(most)
    chunks[#chunks + 1] = text:sub(at, at + size - 1)
    at = at + size
  end
  return chunks
end

--- The one record of a document that is an array of one object.
function feeding.record(object, record_type)
  local decoder = core.decoder { items = "", record = record_type }
  assert(decoder:feed("[" .. object .. "]"))
  assert(decoder:finish())
  return (assert(decoder:next()))
end

return feeding
