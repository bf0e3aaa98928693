/**
 * Finds the route of a raw path. Segments are decoded exactly once, here. Dot segments and encoded slashes therefore reach the
 * identifier rules, which refuse them; they are never resolved into another path.
 */
import { API_ROOT, type Method, ROUTES, type RouteName } from '../protocol/routes.ts'

/** A known path: its parameters, decoded, and the routes that share it, by method. */
export interface PathMatch {
  readonly params: Readonly<Record<string, string>>
  /** The parameters, or `path` for any other segment, with a percent-encoded character that needs no encoding. */
  readonly overEncoded: readonly string[]
  readonly methods: Readonly<Partial<Record<Method, RouteName>>>
}

interface Template {
  readonly segments: readonly string[]
  readonly methods: Partial<Record<Method, RouteName>>
}

const templates = new Map<string, Template>()
for (const [name, route] of Object.entries(ROUTES) as [RouteName, (typeof ROUTES)[RouteName]][]) {
  const template = templates.get(route.path) ?? {
    segments: `${API_ROOT}${route.path}`.split('/'),
    methods: {},
  }
  template.methods[route.method] = name
  templates.set(route.path, template)
}
/** Every resource with GET has HEAD (RFC 9110, section 9.1). */
for (const { methods } of templates.values()) if (methods.GET) methods.HEAD ??= methods.GET

/** An unreserved character, percent-encoded (RFC 3986, section 2.3). */
const NEEDLESS = /%(?:4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9AE]|3[0-9]|2[DE]|5F)/i

const isParameter = (segment: string) => segment.startsWith('{')

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment // no identifier may contain the %, so the rules refuse it
  }
}

/** @param path raw, without the query. */
export function matchPath(path: string): PathMatch | undefined {
  const raw = path.split('/')
  const segments = raw.map(decodeSegment)
  for (const template of templates.values()) {
    if (template.segments.length !== segments.length) continue
    const fits = template.segments.every((expected, at) => isParameter(expected) || expected === segments[at])
    if (!fits) continue
    const params: Record<string, string> = {}
    template.segments.forEach((expected, at) => {
      if (isParameter(expected)) params[expected.slice(1, -1)] = segments[at] ?? ''
    })
    const overEncoded = template.segments.flatMap((expected, at) =>
      NEEDLESS.test(raw[at] ?? '') ? [isParameter(expected) ? expected.slice(1, -1) : 'path'] : [],
    )
    return { params, overEncoded, methods: template.methods }
  }
  return undefined
}

/** The `Allow` header of a known path. */
export const allow = (match: PathMatch): string => [...Object.keys(match.methods), 'OPTIONS'].join(', ')
