-- Answers that a provider declares by their status and a text in their body: how it says that nobody is there, that a
-- token has expired, or that there were too many requests.

local declared_answer = {}

--- How an answer is told: by its status, and a text in its body, in any case; or one of several.
---@alias rollcall.DeclaredAnswer { status: integer, message: string }|{ status: integer, message: string }[]

--- Is an answer one that a provider declares?
---@param declared rollcall.DeclaredAnswer?
---@param status integer?
---@param body string?
---@return boolean
function declared_answer.matches(declared, status, body)
  for _, one in ipairs(declared and (declared[1] and declared or { declared }) or {}) do
    if status == one.status and (body or ""):lower():find(one.message:lower(), 1, true) then
      return true
    end
  end
  return false
end

--- The answers among the words and answers that a declaration names.
---@param value any
---@return { status: integer, message: string }[]
function declared_answer.among(value)
  local list = {}
  for _, one in ipairs(type(value) == "table" and (value[1] and value or { value }) or {}) do
    list[#list + 1] = type(one) == "table" and one or nil
  end
  return list
end

--- What `empty` of a collection calls what stands in the array's place, by the code of the decoder's error.
declared_answer.empty_words = { not_found = "absent", null_array = "null" }

return declared_answer
