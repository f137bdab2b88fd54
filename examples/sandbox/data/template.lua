-- JSON text with holes, cut once and then filled by one table.concat, which makes the big directories cheap.

local template = {}

-- The placeholder for the number in a sample; plain ASCII that no spelling of JSON changes.
template.HOLE = "@NUMBER@"

-- Splits text into pieces; table.concat(pieces, number) fills every hole.
function template.cut(text)
  local pieces, from = {}, 1
  while true do
    local first, last = text:find(template.HOLE, from, true)
    pieces[#pieces + 1] = text:sub(from, (first or 0) - 1)
    if not first then return pieces end
    from = last + 1
  end
end

-- A cache of the last few results of make(key): templates belong to one organization or account, of which a run
-- uses a handful.
function template.cache(make)
  local made, count = {}, 0
  return function(key)
    local result = made[key]
    if not result then
      if count >= 16 then made, count = {}, 0 end
      result = make(key)
      made[key], count = result, count + 1
    end
    return result
  end
end

return template
