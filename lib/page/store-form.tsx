/** The name and the description of a file that is to be stored. */
import type { ComponentChildren } from 'preact'
import { useId, useRef, useState } from 'preact/hooks'
import {
  DESCRIPTION,
  DESCRIPTION_MEMBERS,
  type Description,
  type DescriptionInput,
  parseText,
} from '../domain/description.ts'
import type { Digest } from '../domain/digest.ts'
import { type ArtifactRef, parseArtifactId, parseBucketId, parseVersion } from '../domain/identifiers.ts'
import { artifactRef } from '../domain/refs.ts'
import type { Result } from '../domain/result.ts'
import { contentVersion, isMovingName } from '../domain/version-names.ts'
import { descriptionLabel } from './description-labels.ts'
import { visible } from './text.ts'

const IDENTIFIERS = ['bucketId', 'artifactId', 'version'] as const
const FIELDS = [...IDENTIFIERS, ...DESCRIPTION_MEMBERS]
type FieldName = (typeof FIELDS)[number]
type Values = Readonly<Record<FieldName, string>>

const optional =
  (member: keyof Description) =>
  (text: string): Result<unknown> =>
    text === '' ? { ok: true, value: undefined } : parseText(text, DESCRIPTION[member].maxLength)

const RULES: Readonly<Record<string, (text: string) => Result<unknown>>> = {
  bucketId: parseBucketId,
  artifactId: parseArtifactId,
  version: parseVersion,
  ...Object.fromEntries(DESCRIPTION_MEMBERS.map((member) => [member, optional(member)])),
}

interface Props {
  /** The media type that the browser names; may be empty. */
  readonly type: string
  /** Once it is computed. */
  readonly digest: Digest | undefined
  readonly isDisabled: boolean
  readonly onSubmit: (request: { ref: ArtifactRef; description: DescriptionInput }) => void
}

export function StoreForm({ type, digest, isDisabled, onSubmit }: Props) {
  const form = useRef<HTMLFormElement>(null)
  const [values, setValues] = useState<Values>({ ...remembered, version: '', contentType: type })
  const [errors, setErrors] = useState<Partial<Values>>({})

  const submit = (event: Event) => {
    event.preventDefault()
    const found: Partial<Record<FieldName, string>> = {}
    for (const name of FIELDS) {
      const result = RULES[name]?.(values[name])
      if (result?.ok === false) found[name] = result.error
    }
    setErrors(found)
    const [first] = FIELDS.filter((name) => found[name] !== undefined)
    if (first !== undefined) {
      form.current?.querySelector<HTMLInputElement>(`[name="${first}"]`)?.focus()
      return
    }
    remembered = values
    const given = DESCRIPTION_MEMBERS.map((member) => [member, values[member] || undefined])
    onSubmit({ ref: artifactRef(values), description: Object.fromEntries(given) })
  }

  const field = (name: FieldName) => ({
    name,
    value: values[name],
    error: errors[name],
    isDisabled,
    onInput: (text: string) => setValues((before) => ({ ...before, [name]: text })),
  })
  return (
    <form ref={form} class="store-form" onSubmit={submit} noValidate>
      <fieldset class="ref-fields">
        <legend>Reference</legend>
        <Field
          {...field('bucketId')}
          label="bucket_id"
          hint="a namespace, such as prod-models; it needs no creation"
        />
        <Field {...field('artifactId')} label="artifact_id" hint="what it is, such as llama-3-8b" />
        <Field {...field('version')} label="version" hint="a name that no other bytes will ever have">
          <button
            type="button"
            class="link"
            disabled={isDisabled || digest === undefined}
            onClick={() => digest && setValues((before) => ({ ...before, version: contentVersion(digest) }))}
          >
            Name it by its content
          </button>
          <p class="small" role="status">
            {isMovingName(values.version) &&
              `Bucket has no moving names: “${values.version}” would mean these bytes permanently, and never a newer version. Keep which version is current in your own registry.`}
          </p>
        </Field>
      </fieldset>
      <details>
        <summary>Description (optional)</summary>
        <fieldset class="ref-fields">
          <legend class="hidden">Description</legend>
          {DESCRIPTION_MEMBERS.map((member) => (
            <Field key={member} {...field(member)} {...descriptionLabel(member)} />
          ))}
        </fieldset>
      </details>
      <p class="actions">
        <button type="submit" disabled={isDisabled || digest === undefined}>
          Store
        </button>
        <span class="soft small">Stored versions cannot be changed or deleted.</span>
      </p>
    </form>
  )
}

/** The next file probably belongs to the same artifact. */
let remembered = Object.fromEntries(FIELDS.map((name) => [name, ''])) as Values

interface FieldProps {
  readonly name: string
  readonly label: string
  readonly hint: string
  readonly value: string
  readonly error: string | undefined
  readonly isDisabled: boolean
  readonly onInput: (text: string) => void
  readonly children?: ComponentChildren
}

function Field({ name, label, hint, value, error, isDisabled, onInput, children }: FieldProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        class="mono"
        value={value}
        disabled={isDisabled}
        onInput={({ currentTarget }) => onInput(currentTarget.value)}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        aria-invalid={error !== undefined}
        aria-describedby={`${id}-hint`}
      />
      <p id={`${id}-hint`} class={error === undefined ? 'soft small' : 'bad small'}>
        {error === undefined ? hint : `${label} ${visible(error)}`}
      </p>
      {children}
    </div>
  )
}
