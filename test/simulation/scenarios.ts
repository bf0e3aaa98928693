/** The parties that the search combines, and the number of failures that it injects. */
import {
  arrived,
  commits,
  committing,
  fetches,
  givesUp,
  lost,
  OTHER,
  RIGHT,
  replacesPart,
  startsOver,
  stores,
  uploads,
  WRONG_BYTES,
} from './artifacts.ts'
import type { Budget, Scenario, UploadWorld } from './upload-world.ts'

export interface NamedScenario extends Scenario {
  readonly name: string
  /** The failures of a longer search. */
  readonly deep: Budget
}

const budget = (faults: number, delays: number, duplicates: number): Budget => ({
  faults,
  delays,
  duplicates,
})

/** Without rivals, an upload that does not expire succeeds in the end, unless its deliveries fail too often. */
const isStored = (world: UploadWorld) => {
  if (!world.isLate && !world.isBuried && !world.isStored(RIGHT.id))
    throw new Error('the bytes arrived, and were never stored')
}

const givenUpOrStored = (world: UploadWorld) => {
  const isAborted = world.notes('G').includes('aborted')
  if (isAborted && world.isStored(RIGHT.id)) throw new Error('the upload was aborted, and is stored')
  const isLost = world.notes('A').includes('created') && !world.isStored(RIGHT.id)
  if (isLost) throw new Error('a store returned created, and its bytes are not stored')
}

const nothingStored = (world: UploadWorld) => {
  if (world.stores.ledger.entries.length > 0) throw new Error('wrong bytes are visible')
}

/** The exact bytes are back. `UploadWorld.check` looks that no sender was told so before. */
const isRestored = async (world: UploadWorld) => {
  if (!world.isLate && !world.isBuried && !(await world.stores.blobs.inspect(RIGHT.id)).found)
    throw new Error('the bytes arrived, and the blob is still lost')
}

const oneStored = (world: UploadWorld) => {
  if (world.stores.ledger.entries.length !== 1)
    throw new Error('two stores competed for the name, and neither got it')
}

/** One inline store, sent again after every crash. */
export const STORE_SCENARIOS: readonly NamedScenario[] = [
  {
    name: 'a store whose process dies repeatedly',
    budget: budget(3, 0, 0),
    deep: budget(5, 0, 0),
    actors: [stores('A', RIGHT)],
    end: isStored,
  },
  {
    name: 'a store over unattested bytes',
    budget: budget(2, 0, 0),
    deep: budget(4, 0, 0),
    prepare: async (held) => held.blobs.plant(RIGHT.id, RIGHT.bytes),
    actors: [stores('A', RIGHT)],
    end: isStored,
  },
  {
    name: 'two stores of the same bytes',
    budget: budget(2, 0, 0),
    deep: budget(3, 0, 0),
    actors: [stores('A', RIGHT), stores('B', RIGHT)],
    end: isStored,
  },
  {
    name: 'two stores that restore one lost blob, and a fetch',
    budget: budget(1, 0, 0),
    deep: budget(3, 0, 0),
    isLost: true,
    prepare: lost(RIGHT),
    actors: [stores('A', RIGHT), stores('B', RIGHT), fetches('F', RIGHT)],
    end: isRestored,
  },
  {
    name: 'a store of other bytes over a lost blob',
    budget: budget(1, 0, 0),
    deep: budget(3, 0, 0),
    isLost: true,
    prepare: lost(RIGHT),
    actors: [stores('A', OTHER), stores('B', RIGHT)],
    end: isRestored,
  },
  {
    name: 'three stores of one name',
    budget: budget(1, 0, 0),
    deep: budget(2, 0, 0),
    actors: [stores('A', RIGHT), stores('B', OTHER), stores('C', RIGHT)],
    end: oneStored,
  },
]

export const UPLOAD_SCENARIOS: readonly NamedScenario[] = [
  {
    name: 'an upload of parts, from begin to verified',
    budget: budget(1, 0, 0),
    deep: budget(2, 1, 1),
    actors: [uploads('A', RIGHT, 'multipart')],
    end: isStored,
  },
  {
    name: 'an upload of parts that restores a lost blob',
    budget: budget(1, 0, 0),
    deep: budget(2, 1, 1),
    isLost: true,
    prepare: lost(RIGHT),
    actors: [uploads('A', RIGHT, 'multipart')],
    end: isRestored,
  },
  {
    name: 'a single upload and a store that restore one lost blob',
    budget: budget(1, 0, 0),
    deep: budget(2, 1, 0),
    isLost: true,
    prepare: lost(RIGHT),
    actors: [uploads('A', RIGHT, 'single'), stores('B', RIGHT)],
    end: isRestored,
  },
  {
    name: 'a single upload, from begin to commit',
    budget: budget(2, 0, 0),
    deep: budget(3, 1, 0),
    actors: [uploads('A', RIGHT, 'single')],
    end: isStored,
  },
  {
    name: 'two uploaders of the same single upload',
    budget: budget(0, 0, 0),
    deep: budget(1, 0, 0),
    actors: [uploads('A', RIGHT, 'single'), uploads('B', RIGHT, 'single')],
    end: isStored,
  },
  {
    name: 'an uploader that restarts an upload of another',
    budget: budget(0, 0, 0),
    deep: budget(1, 0, 0),
    actors: [uploads('A', RIGHT, 'multipart'), startsOver('B', RIGHT, 'single')],
    end: isStored,
  },
  {
    name: 'two commits of the same parts',
    budget: budget(0, 0, 0),
    deep: budget(1, 0, 1),
    prepare: arrived(RIGHT, 'multipart'),
    actors: [commits('A', RIGHT), commits('B', RIGHT)],
    end: isStored,
  },
  {
    name: 'two commits of a single upload',
    budget: budget(1, 0, 0),
    deep: budget(2, 1, 0),
    prepare: arrived(RIGHT, 'single'),
    actors: [commits('A', RIGHT), commits('B', RIGHT)],
    end: isStored,
  },
  {
    name: 'a message delivered twice, to verifiers that die',
    budget: budget(1, 0, 1),
    deep: budget(2, 1, 2),
    prepare: committing(RIGHT, 'multipart'),
    actors: [],
    end: isStored,
  },
  {
    name: 'an abort while parts are committed and verified',
    budget: budget(0, 1, 0),
    deep: budget(1, 2, 1),
    prepare: arrived(RIGHT, 'multipart'),
    actors: [commits('A', RIGHT), givesUp('G', RIGHT)],
    end: givenUpOrStored,
  },
  {
    name: 'an abort while a single upload is committed',
    budget: budget(1, 1, 0),
    deep: budget(2, 2, 0),
    prepare: arrived(RIGHT, 'single'),
    actors: [commits('A', RIGHT), givesUp('G', RIGHT)],
    end: givenUpOrStored,
  },
  {
    name: 'a late message of an aborted attempt',
    budget: budget(0, 1, 0),
    deep: budget(1, 1, 0),
    prepare: committing(RIGHT, 'multipart'),
    actors: [startsOver('S', RIGHT, 'single')],
    end: isStored,
  },
  {
    name: 'an upload that expires while it is committed',
    budget: budget(0, 2, 0),
    deep: budget(1, 3, 0),
    prepare: arrived(RIGHT, 'multipart'),
    actors: [commits('A', RIGHT)],
  },
  {
    name: 'a rival store of other bytes',
    budget: budget(1, 0, 0),
    deep: budget(2, 1, 0),
    prepare: arrived(RIGHT, 'multipart'),
    actors: [commits('A', RIGHT), stores('R', OTHER)],
    end: oneStored,
  },
  {
    name: 'a rival store of the same bytes',
    budget: budget(0, 1, 0),
    deep: budget(1, 1, 0),
    prepare: arrived(RIGHT, 'multipart'),
    actors: [commits('A', RIGHT), stores('R', RIGHT)],
    end: isStored,
  },
  {
    name: 'a rival upload of other bytes',
    budget: budget(0, 0, 0),
    deep: budget(1, 0, 0),
    prepare: async (held, deps) => {
      await committing(RIGHT, 'multipart')(held, deps)
      await arrived(OTHER, 'single')(held, deps)
    },
    actors: [commits('B', OTHER)],
    end: oneStored,
  },
  {
    name: 'a part that is replaced while it is committed',
    budget: budget(0, 0, 0),
    deep: budget(1, 1, 0),
    prepare: arrived(RIGHT, 'multipart'),
    actors: [commits('A', RIGHT), replacesPart('P', RIGHT, WRONG_BYTES)],
  },
  {
    name: 'right parts with a wrong whole',
    budget: budget(1, 0, 0),
    deep: budget(2, 1, 1),
    isDishonest: true,
    actors: [uploads('A', RIGHT, 'multipart', WRONG_BYTES)],
    end: nothingStored,
  },
  {
    name: 'a store that ignores checksums, and a single upload',
    budget: budget(1, 0, 0),
    deep: budget(2, 1, 1),
    isDishonest: true,
    actors: [uploads('A', RIGHT, 'single', WRONG_BYTES)],
    end: nothingStored,
  },
  {
    name: 'a store that ignores checksums, and an inline store over its wrong bytes',
    budget: budget(1, 0, 0),
    deep: budget(2, 0, 0),
    isDishonest: true,
    prepare: async (held) => held.blobs.plant(RIGHT.id, WRONG_BYTES),
    actors: [stores('R', RIGHT), stores('S', OTHER)],
    end: oneStored,
  },
]
