/** Commands that other tools have and Bucket does not: what Bucket has instead, and why. */

interface Foreign {
  readonly why: string
  readonly next: string
}

const NO_DELETE: Foreign = {
  why: 'Bucket never deletes or replaces what is stored: everything that refers to it may rely on that',
  next: 'Drop the reference from your own registry. `bucket uploads REF@sha256:… --abort` drops an unfinished upload.',
}
const NO_LATEST: Foreign = {
  why: 'Bucket has no "latest": a name that changes its meaning is not an exact reference',
  next: 'Keep the current version in your own registry. `bucket list BUCKET_ID/ARTIFACT_ID` shows all versions.',
}
const NO_SEARCH: Foreign = {
  why: 'Bucket does not search, and lists only the versions of one artifact',
  next: 'Use `bucket list BUCKET_ID/ARTIFACT_ID`. Your own registry knows which artifacts there are.',
}
const NO_LOGIN: Foreign = {
  why: 'Bucket has no user accounts: the gateway in front of it decides who may do what',
  next: 'Set BUCKET_AUTH to iam (credentials of AWS tools), bearer (BUCKET_TOKEN) or api-key (BUCKET_API_KEY).',
}
const USE = (command: string): Foreign => ({
  why: `Bucket calls this ${command}`,
  next: `Use \`bucket ${command}\`. See \`bucket ${command} --help\`.`,
})

export const FOREIGN_WORDS: { readonly [word: string]: Foreign } = {
  delete: NO_DELETE,
  rm: NO_DELETE,
  remove: NO_DELETE,
  prune: NO_DELETE,
  gc: NO_DELETE,
  mv: NO_DELETE,
  rename: NO_DELETE,
  latest: NO_LATEST,
  tag: NO_LATEST,
  alias: NO_LATEST,
  search: NO_SEARCH,
  find: NO_SEARCH,
  login: NO_LOGIN,
  logout: NO_LOGIN,
  configure: NO_LOGIN,
  versions: USE('list'),
  upload: USE('put'),
  store: USE('put'),
  add: USE('put'),
  download: USE('get'),
  fetch: USE('get'),
  cat: USE('get'),
  cp: USE('put'),
  sync: USE('push'),
  info: USE('show'),
  stat: USE('show'),
  inspect: USE('show'),
  exists: USE('check'),
  hash: USE('digest'),
  sha256sum: USE('digest'),
  verify: USE('fsck'),
  start: USE('serve'),
  server: USE('serve'),
}
