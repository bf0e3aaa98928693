/** A field that takes one file: by choice, or dropped anywhere on it. */
import { useState } from 'preact/hooks'
import type { Failure } from './failure.ts'
import { FailureCard } from './failure-card.tsx'

interface Props {
  readonly file: File | undefined
  readonly isDisabled: boolean
  readonly onChosen: (file: File) => void
}

export function FilePicker({ file, isDisabled, onChosen }: Props) {
  const [isOver, setOver] = useState(false)
  const [failure, setFailure] = useState<Failure | undefined>()
  const take = (files: FileList | null | undefined) => {
    const [only, ...others] = files ?? []
    setFailure(others.length > 0 ? ONE_FILE : undefined)
    if (only !== undefined && others.length === 0 && !isDisabled) onChosen(only)
  }
  return (
    <>
      <label
        class={`drop${isOver ? ' over' : ''}${file ? ' chosen' : ''}`}
        onDragOver={(event) => {
          event.preventDefault()
          setOver(true)
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault()
          setOver(false)
          take(event.dataTransfer?.files)
        }}
      >
        <span class="drop-title">{file ? 'Choose another file' : 'Choose a file'}</span>
        <span class="soft">or drop it here</span>
        <input
          type="file"
          disabled={isDisabled}
          onChange={({ currentTarget }) => {
            take(currentTarget.files)
            // The same file may be chosen again, after it changed.
            currentTarget.value = ''
          }}
        />
      </label>
      {failure && <FailureCard failure={failure} />}
    </>
  )
}

const ONE_FILE: Failure = {
  what: 'Only one file at a time',
  why: ['A version holds the bytes of one file.'],
  next: 'Choose one file, or store a folder with the command line: bucket push REF FOLDER',
}
