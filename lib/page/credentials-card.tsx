/** Asks for the credentials that the deployment demands. They stay in memory and are gone when the page closes. */
import { useId, useState } from 'preact/hooks'
import { type Connection, type Credentials, createClient, type PageConfig } from './connection.ts'
import { describeFailure, type Failure } from './failure.ts'
import { FailureCard } from './failure-card.tsx'
import { Heading } from './parts.tsx'

const FIELDS = {
  token: 'Bearer token',
  accessKeyId: 'Access key ID',
  secretAccessKey: 'Secret access key',
  sessionToken: 'Session token (of temporary credentials)',
  key: 'API key',
} as const
type FieldName = keyof typeof FIELDS

function fieldsOf({ auth, apiKey }: PageConfig): FieldName[] {
  const fields: FieldName[] =
    auth === 'bearer' ? ['token'] : auth === 'iam' ? ['accessKeyId', 'secretAccessKey', 'sessionToken'] : []
  return apiKey || auth === 'api-key' ? [...fields, 'key'] : fields
}

interface Props {
  readonly config: PageConfig
  readonly onGiven: (connection: Connection) => void
}

export function CredentialsCard({ config, onGiven }: Props) {
  const [values, setValues] = useState<Partial<Record<FieldName, string>>>({})
  const [failure, setFailure] = useState<Failure | undefined>()
  const use = (event: Event) => {
    event.preventDefault()
    const connection = connectionOf(config, values)
    try {
      // Refuses a token that no header can carry before any request fails by it.
      createClient(connection)
      onGiven(connection)
    } catch (error) {
      setFailure({
        ...describeFailure(error),
        what: 'These credentials cannot be used',
        next: 'Copy them again.',
      })
    }
  }
  return (
    <form class="card" onSubmit={use}>
      <Heading focus={false}>Credentials</Heading>
      <p class="lead">
        This deployment requires credentials. The page sends the credentials to the API only, and forgets them
        when you close it.
      </p>
      {fieldsOf(config).map((name) => (
        <SecretField
          key={name}
          label={FIELDS[name]}
          isRequired={name !== 'sessionToken'}
          value={values[name] ?? ''}
          onInput={(text) => setValues((before) => ({ ...before, [name]: text }))}
        />
      ))}
      <p class="actions">
        <button type="submit">Use these</button>
      </p>
      {failure && <FailureCard failure={failure} />}
    </form>
  )
}

interface SecretProps {
  readonly label: string
  readonly isRequired: boolean
  readonly value: string
  readonly onInput: (text: string) => void
}

function SecretField({ label, isRequired, value, onInput }: SecretProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        class="mono"
        type="password"
        autocomplete="off"
        required={isRequired}
        value={value}
        onInput={({ currentTarget }) => onInput(currentTarget.value)}
      />
    </div>
  )
}

function connectionOf(config: PageConfig, values: Partial<Record<FieldName, string>>): Connection {
  const { token = '', accessKeyId = '', secretAccessKey = '', sessionToken, key = '' } = values
  const credentials: { readonly [K in PageConfig['auth']]: Credentials } = {
    none: { kind: 'none' },
    bearer: { kind: 'bearer', token },
    'api-key': { kind: 'api-key', key },
    iam: { kind: 'iam', accessKeyId, secretAccessKey, sessionToken: sessionToken || undefined },
  }
  return { config, credentials: credentials[config.auth], apiKey: config.apiKey ? key : undefined }
}
