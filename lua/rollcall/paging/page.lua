-- Paging "page": pages have numbers.

local count = require "rollcall.paging.count"
local declared = require "rollcall.paging.declared"
local tables = require "rollcall.tables"

local page = {}

page.least = 1
page.is_counted = true

page.schema = tables.with(count.schema, { pages = declared.source })
page.check = count.check

function page.captures(paging)
  return declared.pointers(paging.total, paging.pages, paging.more, paging.last)
end

function page.places(paging)
  return { declared.own_place(paging), paging.size }
end

function page.goes_back()
  return true
end

local function start_of(paging)
  return paging.start or 1
end

function page.first(paging, query)
  if not query.page_token then
    return { number = start_of(paging), given = 0 }
  end
  local number = count.integer(query.page_token, start_of(paging))
  if not number then
    return nil, ("expected the number of a page, %d or more"):format(start_of(paging))
  end
  local before = number - start_of(paging)
  -- The number of items before it is not known: a declared max_size promises that those pages were full.
  return { number = number, given = before == 0 and 0 or query.page_size and before * query.page_size or nil }
end

page.prepare = declared.put_size

function page.apply(paging, position, request)
  request:put(declared.own_place(paging), position.number)
end

--- Does this page say that it is the last one? The first of these counts: its flag, a number of pages, a total. A total
--- is compared with the items received, because a server may send fewer than requested.
local function is_last(paging, answer, query)
  local more, problem = count.flag(paging, answer)
  if more ~= nil or problem then
    return more == false, problem
  end
  local number = answer.position.number - start_of(paging) + 1
  local pages, total
  if paging.pages then
    pages, problem = answer:number(paging.pages)
    if pages or problem then
      return pages ~= nil and number >= pages, problem
    end
  end
  if paging.total then
    total, problem = answer:number(paging.total)
    if problem then
      return false, problem
    end
  end
  local given = total and answer.position.given
  if answer.count == 0 then
    -- A page in the middle may be empty, because the server leaves out what the caller must not see.
    return not (total and query.page_size and number * query.page_size < total)
  elseif given then
    return given + answer.count >= total -- even if the page is short: the server may send less than requested
  end
  return count.is_short(paging, answer, query)
end

function page.after(paging, answer, query)
  local position = answer.position
  if query.direction == "backward" then
    return position.number > start_of(paging) and { number = position.number - 1 } or nil
  end
  local ended, problem = is_last(paging, answer, query)
  if ended or problem then
    return nil, problem
  end
  return { number = position.number + 1, given = position.given and position.given + answer.count }
end

--- Once one page has arrived, further ones can be requested ahead: up to the last, if that is known.
function page.ahead(paging, position, known, query)
  if query.direction == "backward" then
    return position.number > start_of(paging) and { number = position.number - 1 } or nil
  end
  local number = position.number - start_of(paging) + 1
  local pages = known.answer and paging.pages and known.answer:number(paging.pages)
  local total = known.answer and paging.total and known.answer:number(paging.total)
  if not known.answer or known.answer.count == 0 or pages and number >= pages
    or total and number * known.answer.count >= total then
    return nil
  end
  return { number = position.number + 1 }
end

function page.show(position)
  return ("%d"):format(position.number)
end

function page.restore(saved)
  local number, given = count.integer(saved.number, 0), count.integer(saved.given, 0)
  return number and (given or saved.given == nil) and { number = number, given = given } or nil
end

return page
