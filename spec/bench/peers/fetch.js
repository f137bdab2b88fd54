// The walk by Node's fetch, which keeps its connection.

async function main() {
  const headers = {
    Authorization: `Bearer ${process.env.WALK_TOKEN}`,
    'X-Organization-ID': process.env.WALK_ORGANIZATION,
    Accept: 'application/json',
  };
  const url = new URL('/identity/v1/users?Limit=100', process.env.WALK_URL);
  let users = 0;
  let emails = 0;
  let named = 0;
  let active = 0;
  for (;;) {
    const response = await fetch(url, { headers });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const page = await response.json();
    for (const user of page.data) {
      users += 1;
      emails += user.email.length;
      if (user.name !== null) named += 1;
      if (user.status === 'ACTIVE') active += 1;
    }
    if (page.nextPaginationToken === null) break;
    url.searchParams.set('PaginationToken', page.nextPaginationToken);
  }
  console.log(`walked ${users} ${emails} ${named} ${active}`);
}

main();
