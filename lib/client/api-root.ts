/** The root of an API as a caller gives it. What could not be sent with every request is refused instead of dropped. */

/**
 * @param url the root, `…/v1`, of http or https.
 * @throws TypeError when it is no such address, or has credentials, a query or a fragment, none of which is told.
 */
export function apiRoot(url: string | URL): URL {
  const root = new URL(url)
  const refuse = (what: string) =>
    new TypeError(`the address of the API ${what}: give its root alone, as in https://artifacts.example/v1`)
  if (root.protocol !== 'http:' && root.protocol !== 'https:') throw refuse('is not one of http or https')
  if (root.username !== '' || root.password !== '')
    throw refuse('holds credentials, which belong to the authorization')
  if (root.search !== '') throw refuse('has a query, which no request would repeat')
  if (root.hash !== '') throw refuse('has a fragment, which no request would repeat')
  return root
}
