-- Paging "cursor": each page names the token of the next page, and perhaps that of the previous one.

local declared = require "rollcall.paging.declared"
local tables = require "rollcall.tables"
local token = require "rollcall.paging.token"

local cursor = {}

cursor.schema = tables.with(token.schema, {
  query = declared.parameter,
  header = declared.header_name,
  body = declared.member,
  token = token.form,
})

function cursor.check(paging, report)
  declared.check_own_place(paging, report)
  declared.check_size(paging, report)
  declared.check_previous(paging, report)
  token.check(paging, report)
end

cursor.captures = token.captures
cursor.goes_back = token.goes_back

function cursor.places(paging)
  return { declared.own_place(paging), paging.size }
end

cursor.first = token.first
cursor.prepare = declared.put_size

--- Adds the parameters that request the page at this position.
function cursor.apply(paging, position, request)
  if position.token then
    request:put(declared.own_place(paging), token.value(paging, position.token))
  end
end

--- The position after a page; nil at the end; nil and what is wrong. By default a token that is null, absent or "" ends
--- a walk and an empty page does not; the provider may declare otherwise.
function cursor.after(paging, answer, query)
  local is_back = query.direction == "backward"
  local ended, problem, goes_on = token.ended(paging, answer, is_back)
  if ended or problem then
    return nil, problem
  end
  local text
  text, problem = token.read(paging, answer, is_back and paging.previous or paging.next, "page token")
  if not text then
    return nil, problem or goes_on and "the page says that there is more, but names no token for it" or nil
  elseif paging.header and text:find("%c") then
    return nil, "the page token has control characters in it, which no header can have"
  end
  return { token = text }
end

function cursor.show(position)
  return position.token
end

function cursor.restore(saved, _, paging)
  local is_good = saved.token == nil or token.is(saved.token, paging.header ~= nil, paging.token)
  return is_good and { token = saved.token } or nil
end

return cursor
