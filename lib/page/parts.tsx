/** Small parts that several views use. */
import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Progress } from '../client/index.ts'
import { SYMBOL_PATHS } from '../look/symbol.ts'
import { formatBytes, formatShare, visible } from './text.ts'

export const BucketSymbol = () => (
  <svg
    viewBox="0 0 32 32"
    fill="none"
    stroke="currentColor"
    stroke-width="2.4"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  >
    {SYMBOL_PATHS.map((path) => (
      <path key={path} d={path} />
    ))}
  </svg>
)

interface HeadingProps {
  readonly children: ComponentChildren
  readonly focus: boolean
  /** That of a part of a view is `h2`. */
  readonly as?: 'h1' | 'h2'
}

/** The heading of a view or a result. It takes the focus when it appears, so that a screen reader reads what is new. */
export function Heading({ children, focus, as: Tag = 'h1' }: HeadingProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  // Before the browser paints: a key that is pressed when the text is visible would otherwise go to the element that had the focus.
  useLayoutEffect(() => {
    if (focus) heading.current?.focus()
  }, [])
  return (
    <Tag ref={heading} tabIndex={-1}>
      {children}
    </Tag>
  )
}

/** Milliseconds for which a button says that it copied. */
const COPIED_MS = 2000

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [state, setState] = useState<'ready' | 'copied' | 'failed'>('ready')
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const copy = async () => {
    clearTimeout(timer.current)
    // Browsers give the clipboard to pages of secure origins only.
    const copied = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    )
    setState(copied ? 'copied' : 'failed')
    timer.current = setTimeout(setState, COPIED_MS, 'ready')
  }
  return (
    <button type="button" class="quiet" onClick={() => void copy()} aria-label={`Copy ${label}`}>
      <span role="status">
        {state === 'ready' ? 'Copy' : state === 'copied' ? 'Copied' : 'Select it and copy'}
      </span>
    </button>
  )
}

/** A digest in groups of eight, for eyes. A selection copies it without the gaps. */
export function DigestText({ digest }: { digest: string }) {
  const [, prefix = '', hex = digest] = /^(sha256:)([0-9a-f]{64})$/.exec(digest) ?? []
  return (
    <code class="digest">
      <span class="soft">{prefix}</span>
      {(hex.match(/.{1,8}/g) ?? []).map((group, at) => (
        <span key={at}>{visible(group)}</span>
      ))}
    </code>
  )
}

const PHASES = {
  hashing: 'Computing the digest',
  uploading: 'Sending',
  verifying: 'The server verifies the bytes',
  committed: 'Stored',
  downloading: 'Fetching and verifying',
} as const

/** @param total bytes of the transfer, until its own reports name them. */
export function ProgressBar({ progress, total }: { progress: Progress | undefined; total: number }) {
  const bytes = progress?.bytes ?? 0
  const all = progress?.total ?? total
  const label = progress ? PHASES[progress.phase] : 'Starting'
  // One request carries small files as a whole: a browser does not tell how far it is.
  const isUnknown = progress === undefined || (bytes === 0 && progress.phase !== 'hashing')
  return (
    <div class="progress">
      <p>
        <span role="status">{label}</span>
        <span class="soft">
          {isUnknown
            ? formatBytes(all)
            : `${formatBytes(bytes)} of ${formatBytes(all)} · ${formatShare(bytes, all)}`}
        </span>
      </p>
      <progress
        aria-label={label}
        max={Math.max(all, 1)}
        {...(isUnknown ? {} : { value: all === 0 ? 1 : bytes })}
      />
    </div>
  )
}
