-- Paging "cursor": each page names the token of the next, and perhaps of the previous one.

local core = require "rollcall.core"
local schema = require "rollcall.schema"

local cursor = {}

local pointer = schema.pointer

-- Servers take URLs of 8 KiB or so, and a checkpoint holds the token: a longer one is nonsense.
local MAX_TOKEN = 65536

cursor.schema = {
  query = { type = "string", required = true, expected = "the query parameter that takes the token" },
  next = { type = "string", required = true, expected = pointer.expected, test = pointer.test },
  previous = pointer,
  size = { type = "string", expected = "the query parameter that takes the page size" },
  max_size = { type = "integer", min = 1 },
}

cursor.options = { "page_token" }

function cursor.captures(paging)
  return { paging.next, paging.previous }
end

function cursor.first(_, query)
  return { token = query.page_token }
end

--- Adds what asks for the page at this position to the list of query parameters.
function cursor.apply(paging, position, parameters, query)
  if paging.size and query.page_size then
    parameters[#parameters + 1] = { paging.size, ("%d"):format(query.page_size) }
  end
  if position.token then
    parameters[#parameters + 1] = { paging.query, position.token }
  end
end

--- A number as a server writes it; nil where it has been rounded.
local function number_text(number)
  local text = tostring(number)
  if text:find("^%-?%d+$") then
    return text
  elseif math.abs(number) >= 2 ^ 53 then
    return nil
  end
  return (number == math.floor(number) and "%.0f" or "%.14g"):format(number)
end

--- The position after a page whose captured scalars `captured(pointer)` gives, numbers as text: nil at the end, or
--- nil and what is wrong. Null, absent and "" end a walk; an empty page does not.
function cursor.after(paging, captured, query)
  local where = query.direction == "backward" and paging.previous or paging.next
  local token = captured(where)
  if token == nil or token == core.null or token == "" then
    return nil
  elseif type(token) == "number" then
    local text = number_text(token)
    if not text then
      return nil, ("the page token at %s is a number that this Lua cannot hold to the digit"):format(where)
    end
    token = text
  elseif type(token) ~= "string" then
    return nil, ("expected a page token at %s, got a %s"):format(where, type(token))
  elseif #token > MAX_TOKEN then
    return nil, ("the page token at %s is too long to be sent: %d bytes"):format(where, #token)
  end
  return { token = token }
end

return cursor
