-- Paging "offset": a page is requested by the number of items before it.

local count = require "rollcall.paging.count"
local declared = require "rollcall.paging.declared"
local tables = require "rollcall.tables"

local offset = {}

offset.least = 1
offset.is_counted = true

offset.schema = tables.with(count.schema, {
  --- The distance from one page to the next: by default the number of items received; "size": the number requested.
  step = { type = "string", enum = { "size" } },
})

function offset.check(paging, report)
  count.check(paging, report)
  if paging.step ~= nil and paging.max_size == nil then
    report("step", "it needs size and max_size, which say how far")
  end
end

--- The distance from a page to the next one, in items.
local function step_of(paging, answer, query)
  return paging.step == "size" and query.page_size or answer.count
end

function offset.captures(paging)
  return declared.pointers(paging.total, paging.more, paging.last)
end

function offset.places(paging)
  return { declared.own_place(paging), paging.size }
end

--- Backwards it has to send the length of a page, so that pages do not overlap.
function offset.goes_back(paging)
  return paging.size ~= nil
end

local function start_of(paging)
  return paging.start or 0
end

function offset.first(paging, query)
  if not query.page_token then
    return { offset = start_of(paging) }
  end
  local number = count.integer(query.page_token, start_of(paging))
  if not number then
    return nil, ("expected the offset of a page, %d or more"):format(start_of(paging))
  end
  return { offset = number }
end

function offset.apply(paging, position, request, query)
  local size = position.expected or query.page_size
  if paging.size and size then
    request:put(paging.size, size)
  end
  request:put(declared.own_place(paging), position.offset)
end

--- The page before this one ends where this one begins.
local function before(paging, answer, query)
  local position = answer.position
  if position.expected and answer.count ~= position.expected and paging.step ~= "size" then
    return nil, ("expected %d items before offset %d, got %d: the server does not keep to the page size, and those "
      .. "between cannot be asked for"):format(position.expected, position.offset + position.expected, answer.count)
  elseif position.offset <= start_of(paging) then
    return nil
  elseif not query.page_size then
    return nil, "backwards a walk needs page_size, where the provider declares no max_size"
  end
  local from = math.max(start_of(paging), position.offset - query.page_size)
  return { offset = from, expected = position.offset - from }
end

--- The next page begins after the items received, not after the number requested, because a server may send fewer;
--- unless the provider declares that the server counts the full size and leaves out what the caller must not see.
function offset.after(paging, answer, query)
  if query.direction == "backward" then
    return before(paging, answer, query)
  end
  local more, problem = count.flag(paging, answer)
  if more == false or problem then
    return nil, problem
  end
  local total
  if paging.total then
    total, problem = answer:number(paging.total)
    if problem then
      return nil, problem
    end
  end
  local step = step_of(paging, answer, query)
  if answer.count == 0 then
    -- Empty, but not the end: the server left out what the caller must not see, and there is more after it.
    step = (more or total) and query.page_size
    if not step then
      return nil, more and "the page says that there is more, but is empty, and how far to go on is not known" or nil
    end
  elseif not more and not total and count.is_short(paging, answer, query) then
    return nil
  end
  local behind = answer.position.offset + step
  if not more and total and behind - start_of(paging) >= total then
    return nil
  end
  return { offset = behind }
end

--- Once one page has arrived, further ones are as far apart as its number of items, received or requested (see `step`).
function offset.ahead(paging, position, known, query)
  local answer = known.answer
  if query.direction == "backward" or not answer or answer.count == 0 then
    return nil
  end
  local total = paging.total and answer:number(paging.total)
  local behind = position.offset + step_of(paging, answer, query)
  if total and behind - start_of(paging) >= total then
    return nil
  end
  return { offset = behind }
end

function offset.show(position)
  return ("%d"):format(position.offset)
end

function offset.restore(saved)
  local number, expected = count.integer(saved.offset, 0), count.integer(saved.expected, 1)
  return number and (expected or saved.expected == nil) and { offset = number, expected = expected } or nil
end

return offset
