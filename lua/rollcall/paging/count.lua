-- What the paging types "page" and "offset" have in common: declared fields, and what ends their walks.

local declared = require "rollcall.paging.declared"

local count = {}

--- The fields of a declaration besides the type's own.
count.schema = {
  query = declared.parameter,
  header = declared.header_name,
  body = declared.member,
  start = { type = "integer", min = 0 },
  size = declared.size,
  max_size = declared.max_size,
  total = declared.source,
  more = declared.source,
  last = declared.source,
  ends = declared.words { "short_page" },
}

--- Reports declared ends that cannot be recognized.
function count.check_ends(paging, report)
  if paging.size == nil and declared.has(paging.ends, "short_page") then
    report("ends", "without size it cannot be told what a short page is")
  end
end

function count.check(paging, report)
  declared.check_own_place(paging, report)
  declared.check_size(paging, report)
  if paging.more ~= nil and paging.last ~= nil then
    report("last", "more says the same; declare one of them")
  end
  count.check_ends(paging, report)
end

--- The whole number in a value, if it is at least `least`; nil otherwise.
---@param text any
---@param least integer
---@return integer?
function count.integer(text, least)
  local number = type(text) == "number" and text or type(text) == "string" and text:find("^%d+$") and tonumber(text)
  if not number or number ~= math.floor(number) or number < least or number >= 2 ^ 53 then
    return nil
  end
  return math.floor(number)
end

--- What the page's own flag, `more` or `last`, says about pages after it.
---@param paging table
---@param answer rollcall.Answer
---@return boolean? more nil: it does not say
---@return string? problem
function count.flag(paging, answer)
  if paging.more then
    return answer:flag(paging.more)
  elseif paging.last then
    local is_last, problem = answer:flag(paging.last)
    if is_last == nil then
      return nil, problem
    end
    return not is_last
  end
  return nil
end

--- Is the page shorter than the page size, and does that mean the last one by the provider's declaration?
function count.is_short(paging, answer, query)
  return query.page_size ~= nil and answer.count < query.page_size and declared.has(paging.ends, "short_page")
end

return count
