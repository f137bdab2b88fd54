-- Paging "next_url": the body names the URL of the next page.

local declared = require "rollcall.paging.declared"
local target = require "rollcall.paging.target"
local token = require "rollcall.paging.token"

local next_url = {}

next_url.is_linked = true
next_url.schema = token.schema
next_url.captures = token.captures
next_url.goes_back = token.goes_back
next_url.places = target.places
next_url.first = target.first
next_url.apply = target.apply
next_url.show = target.show
next_url.restore = target.restore

function next_url.check(paging, report)
  declared.check_size(paging, report)
  declared.check_previous(paging, report)
end


function next_url.after(paging, answer, query)
  local is_back = query.direction == "backward"
  local ended, problem, goes_on = token.ended(paging, answer, is_back)
  if ended or problem then
    return nil, problem
  end
  local reference
  reference, problem = token.read(paging, answer, is_back and paging.previous or paging.next, "URL")
  if not reference then
    return nil, problem or goes_on and "the page says that there is more, but names no URL of it" or nil
  end
  return target.position(reference, answer.url, answer.base)
end

return next_url
