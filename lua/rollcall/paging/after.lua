-- Paging "after": the next page begins after the last item, which is named by its id or by a token of its own.

local count = require "rollcall.paging.count"
local declared = require "rollcall.paging.declared"
local schema = require "rollcall.schema"
local token = require "rollcall.paging.token"

local after = {}

after.least = 1
after.edges = true

after.schema = {
  query = declared.parameter,
  header = declared.header_name,
  body = declared.member,
  item = { type = "string|table", required = true, values = schema.pointer,
    expected = "a JSON Pointer into an item such as /id, or a list of them", test = function(value)
      if type(value) == "table" then
        return #value > 0
      end
      return #value > 1 and schema.pointer.test(value)
    end },
  before = declared.place,
  token = token.form,
  more = declared.source,
  total = declared.source,
  ends = declared.words { "short_page" },
  size = declared.size,
  max_size = declared.max_size,
}

function after.check(paging, report)
  declared.check_own_place(paging, report)
  declared.check_size(paging, report)
  token.check(paging, report)
  count.check_ends(paging, report)
end

function after.captures(paging)
  return declared.pointers(paging.more, paging.total)
end

function after.places(paging)
  return { declared.own_place(paging), paging.size, paging.before }
end

function after.goes_back(paging)
  return paging.before ~= nil
end

--- Can this token be sent?
local function is_good(paging, text, is_back)
  local place = is_back and paging.before or declared.own_place(paging)
  return token.is(text, type(place) == "table" and place.header ~= nil, paging.token)
end

after.first = token.first
after.prepare = declared.put_size

function after.apply(paging, position, request)
  if position.before then
    request:put(paging.before, token.value(paging, position.before))
  elseif position.token then
    request:put(declared.own_place(paging), token.value(paging, position.token))
  end
end

--- Does the walk end after this page, in its direction?
local function is_end(paging, answer, query)
  local position = answer.position
  if answer.count == 0 then
    local is_start = query.direction == "backward" and not position.before
    return true, is_start and "the page to go back from is empty: it has no item that names the one before it" or nil
  elseif query.direction == "backward" and not position.before then
    return false -- its flag is about the forward direction
  end
  local more, problem = nil, nil
  if paging.more then
    more, problem = answer:flag(paging.more)
  end
  return more == false or more == nil and count.is_short(paging, answer, query), problem
end

function after.after(paging, answer, query)
  local ended, problem = is_end(paging, answer, query)
  if problem then
    return nil, problem
  elseif ended then
    if answer.count == 0 and query.direction ~= "backward" and paging.more and answer:flag(paging.more) then
      return nil, "the page says that there is more, but has no item that names where"
    end
    return nil
  end
  local is_back = query.direction == "backward"
  local which = is_back and "first" or "last"
  local text = answer:edge(which, paging.item, paging.token == "json" and "json" or nil)
  if not is_good(paging, text, is_back) then
    return nil, ("expected what names the next page at %s of the %s item, got %s"):format(
      type(paging.item) == "table" and table.concat(paging.item, " or ") or paging.item, which,
      text == nil and "nothing" or type(text) == "string" and "a text that cannot be sent" or "a " .. type(text))
  end
  return is_back and { before = text } or { token = text }
end

function after.show(position)
  return position.token
end

function after.restore(saved, _, paging)
  local good = (saved.token == nil or is_good(paging, saved.token, false))
    and (saved.before == nil or is_good(paging, saved.before, true))
  return good and { token = saved.token, before = saved.before } or nil
end

return after
