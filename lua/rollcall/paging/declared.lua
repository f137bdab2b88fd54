-- Schema nodes and checks that several paging types share.

local header_names = require "rollcall.http.header_names"
local schema = require "rollcall.schema"

local declared = {}

local header_name = header_names.free
local parameter = { type = "string", expected = "the name of a query parameter", test = function(value)
  return value ~= "" and not value:find("%c")
end }
local member = { type = "string", expected = "a JSON Pointer of a member of the body, such as /page",
  test = function(value)
    return #value > 1 and schema.pointer.test(value)
  end }

declared.header_name, declared.parameter, declared.member = header_name, parameter, member

--- Where a value is in a response: a JSON Pointer, or a header.
declared.source = { type = "string|table", expected = "a JSON Pointer such as /next, or { header = name }",
  fields = { header = schema.required(schema.header_name) }, test = function(value)
    return type(value) == "table" or value ~= "" and schema.pointer.test(value)
  end }

--- Where something is sent: a query parameter's name, or { query = } or { header = } or { body = pointer }.
declared.place = { type = "string|table",
  expected = "a query parameter's name, or one of { query = }, { header = }, { body = }",
  fields = { query = parameter, header = header_name, body = member }, test = function(value)
    if type(value) == "string" then
      return parameter.test(value)
    end
    local count = 0
    for _ in pairs(value) do
      count = count + 1
    end
    return count == 1 or "it needs one of query, header and body"
  end }

declared.size = declared.place
declared.max_size = { type = "integer", min = 1 }

--- A node that takes one of these words, or a list of them.
---@param words string[]
---@return rollcall.Schema
function declared.words(words)
  local one = { type = "string", enum = words }
  return { type = "string|table", expected = "one of " .. table.concat(words, ", ") .. ", or a list of them",
    values = one, test = function(value)
      return type(value) == "table" or schema.check(value, one)[1] or true
    end }
end

--- Is this word among the declared ones?
---@param value string|string[]|nil
---@param word string
---@param default table<string, boolean>? those that count if none are declared
---@return boolean
function declared.has(value, word, default)
  if value == nil then
    return default ~= nil and default[word] == true
  elseif type(value) == "string" then
    return value == word
  elseif type(value) ~= "table" then
    return false -- reported elsewhere
  end
  for _, one in ipairs(value) do
    if one == word then
      return true
    end
  end
  return false
end

--- The place of the position itself: the declaration's fields query, header and body.
---@param paging table
---@return rollcall.Place
function declared.own_place(paging)
  return { query = paging.query, header = paging.header, body = paging.body }
end

--- Adds the page size, for paging types whose requests all have the same one.
---@param paging table
---@param request rollcall.Request
---@param query rollcall.Query
function declared.put_size(paging, request, query)
  if paging.size and query.page_size then
    request:put(paging.size, query.page_size)
  end
end

--- Reports unless exactly one of query, header and body is declared.
function declared.check_own_place(paging, report)
  local count = 0
  for _, key in ipairs { "query", "header", "body" } do
    count = count + (paging[key] ~= nil and 1 or 0)
  end
  if count == 0 then
    report("query", "missing; expected the name of a query parameter (or header, or body)")
  elseif count > 1 then
    report("", "it needs one of query, header and body, not several")
  end
end

--- Reports a `previous` that is the same as `next`.
function declared.check_previous(paging, report)
  local function key_of(source)
    return type(source) == "table" and "header " .. tostring(source.header):lower() or source
  end
  if paging.next ~= nil and key_of(paging.next) == key_of(paging.previous) then
    report("previous", "next is the same; backwards leads elsewhere")
  end
end

--- Reports a max_size without a size.
function declared.check_size(paging, report)
  if paging.max_size ~= nil and paging.size == nil then
    report("max_size", "without size it has no meaning")
  end
end

--- The JSON Pointers among these sources.
---@param ... string|table|nil
---@return string[]
function declared.pointers(...)
  local list = {}
  for i = 1, select("#", ...) do
    local source = select(i, ...)
    if type(source) == "string" then
      list[#list + 1] = source
    end
  end
  return list
end

return declared
