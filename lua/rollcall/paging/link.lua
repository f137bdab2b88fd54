-- Paging "link": a Link header names the URL of the next page (RFC 8288, rel="next").

local declared = require "rollcall.paging.declared"
local header = require "rollcall.http.link"
local target = require "rollcall.paging.target"
local token = require "rollcall.paging.token"

local link = {}

link.is_linked = true
link.goes_back = token.goes_back
link.places = target.places
link.first = target.first
link.apply = target.apply
link.show = target.show
link.restore = target.restore

local relation = { type = "string", expected = "a relation type such as next", test = function(value)
  return value ~= "" and not value:find("[%s%c]")
end }

link.schema = {
  rel = relation,
  previous = relation,
  more = declared.source,
  total = declared.source,
  ends = declared.words { "absent", "empty_page" },
  size = declared.size,
  max_size = declared.max_size,
}

function link.check(paging, report)
  declared.check_size(paging, report)
  if paging.previous ~= nil and paging.previous == (paging.rel or "next") then
    report("previous", "the next page's relation is the same; backwards leads elsewhere")
  end
end

-- Bytes of a header that an error shows.
local SHOWN = 200

function link.captures(paging)
  return declared.pointers(paging.more, paging.total)
end

function link.after(paging, answer, query)
  local is_back = query.direction == "backward"
  local ended, problem, goes_on = token.ended(paging, answer, is_back)
  if ended or problem then
    return nil, problem
  end
  local text = answer:header("link")
  local links = header.parse(text or "")
  if not links then
    return nil, "the Link header cannot be read: " .. answer:shown(text, SHOWN)
  end
  local reference = header.target(links, is_back and paging.previous or paging.rel or "next")
  if not reference then
    return nil, goes_on and "the page says that there is more, but has no link to it" or nil
  end
  return target.position(reference, answer.url, answer.base)
end

return link
