-- Paging "none": the whole collection is one body.

local none = {}

none.schema = {}

--- Query options that make sense with it, beside those that always do.
none.options = {}

function none.captures()
  return {}
end

function none.first()
  return {}
end

function none.apply() end

--- The position of the page after this one: there is none.
function none.after()
  return nil
end

return none
