// The Compose files and Kubernetes manifests can be read, set only settings that there are, to values that the gateway takes, and agree with each other.
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { environmentSchema, readConfig } from '../../src/config.ts'
import { build } from '../helper.ts'

const folder = new URL('../../docker/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8')
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.yaml')).sort()
const composeFiles = files.filter((name) => name.startsWith('compose.'))

type Environment = Record<string, string>
type Service = { image: string, environment?: Environment, labels?: Environment, depends_on?: Record<string, { condition: string }>, volumes?: string[], healthcheck?: unknown, command?: string | string[], stop_grace_period?: string, deploy?: { replicas: number } }
type Compose = { name: string, services: Record<string, Service>, volumes: Record<string, unknown> }
type Probe = { httpGet: { path: string, port: string } }
type Container = { envFrom: Array<Record<string, { name: string }>>, env: Array<{ name: string, value: string }>, ports: Array<{ name: string }>, startupProbe: Probe, livenessProbe: Probe, readinessProbe: Probe, lifecycle: { preStop: { sleep: { seconds: number } } }, securityContext: unknown, volumeMounts: Array<{ name: string, mountPath: string }> }
type Manifest = {
  kind: string
  metadata: { name: string, namespace?: string }
  data?: Environment
  stringData?: Environment
  spec: { replicas: number, selector: unknown, template: { metadata: { labels: Environment }, spec: { terminationGracePeriodSeconds: number, securityContext: unknown, topologySpreadConstraints: unknown[], containers: [Container], volumes: Array<{ name: string, persistentVolumeClaim?: { claimName: string }, emptyDir?: object }> } } }
}

const documentsIn = <T>(name: string): T[] => parseAllDocuments(read(name)).map((document) => {
  if (document.errors.length > 0 || document.warnings.length > 0) throw new Error(`${name}: ${String([...document.errors, ...document.warnings])}`)
  return document.toJS() as T
})
function compose (name: string): Compose {
  const [document] = documentsIn<Compose>(name)
  if (document === undefined) throw new Error(`${name} is empty`)
  return document
}
const gatewayIn = (name: string): Service | undefined => compose(name).services['gateway']
const manifests = (...names: string[]) => names.flatMap((name) => documentsIn<Manifest>(`kubernetes/${name}.yaml`))

/** As Compose fills in what is not set; what must be set is `value`. */
const filledInAll = (environment: Environment): Environment => Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, filledIn(text)]))

function filledIn (text: string, value = 'value'): string {
  const filled = text.replaceAll(/\$\{\w+:-([^{}]*)\}/g, '$1').replaceAll(/\$\{\w+:\?[^{}]*\}/g, value)
  return filled === text ? text : filledIn(filled, value)
}

const settings = new Set(Object.keys(environmentSchema.properties))
/** Of the credentials of the S3 client. */
const others = new Set(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_REGION', 'NODE_ENV', 'NODE_COMPILE_CACHE'])

test('every file can be read', (t) => {
  for (const name of files) t.ok(documentsIn(name).length > 0, name)
  t.end()
})

test('gateways are given settings that there are, with values that they take', (t) => {
  const environments: Array<[where: string, environment: Environment]> = [
    ...composeFiles.map((name): [string, Environment] => [name, gatewayIn(name)?.environment ?? {}]),
    ['kubernetes', Object.fromEntries(manifests('config', 'secret.example').flatMap(({ data, stringData }) => Object.entries({ ...data, ...stringData })))],
    ['Dockerfile', Object.fromEntries([...(/^ENV (.*)$/m.exec(read('Dockerfile'))?.[1] ?? '').matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]))],
  ]
  for (const [where, environment] of environments) {
    t.ok(Object.keys(environment).length > 3, where)
    for (const name of Object.keys(environment)) t.ok(settings.has(name) || others.has(name), `${where}: ${name} is a setting`)
    t.doesNotThrow(() => readConfig(filledInAll(environment)), where)
  }
  const commented = [...read('kubernetes/config.yaml').matchAll(/^ {2}# ([A-Z][A-Z_]+): /gm), ...read('kubernetes/secret.example.yaml').matchAll(/^ {2}# ([A-Z][A-Z_]+): /gm)].map(([, name = '']) => name)
  t.ok(commented.length >= 5)
  for (const name of commented) t.ok(settings.has(name) || others.has(name), name)
  t.end()
})

test('replicas share a database and keep their bytes where all of them find them', (t) => {
  for (const [name, database, store] of [['compose.replicas.yaml', 'postgresql', undefined], ['compose.s3.yaml', 'postgresql', 's3']] as const) {
    const { services, volumes } = compose(name)
    const gateway = services['gateway']
    t.equal(gateway?.deploy?.replicas, 3, name)
    const { database: { kind }, objectStore } = readConfig(filledInAll(gateway?.environment ?? {}))
    t.equal(kind, database, name)
    t.equal(objectStore?.kind, store, name)
    for (const [service, { condition }] of Object.entries(gateway?.depends_on ?? {})) {
      t.ok(services[service], `${name}: ${service}`)
      if (condition === 'service_healthy') t.ok(services[service]?.healthcheck, `${name}: ${service} says when it is healthy`)
    }
    for (const { volumes: mounts = [] } of Object.values(services)) {
      for (const mount of mounts.filter((one) => /^\w+:/.test(one))) t.ok(Object.hasOwn(volumes, mount.split(':')[0] ?? ''), `${name}: ${mount}`)
    }
  }
  t.end()
})

test('a stop waits for uploads in flight wherever the gateway runs', (t) => {
  for (const name of composeFiles) {
    const { environment, stop_grace_period: grace } = gatewayIn(name) ?? {}
    t.ok(Number.parseInt(grace ?? '', 10) > Number(environment?.['SHUTDOWN_GRACE_SECONDS']), name)
  }
  const [config] = manifests('config')
  for (const { spec: { template: { spec } } } of manifests('deployment', 'deployment-s3')) {
    t.ok(spec.terminationGracePeriodSeconds > Number(config?.data?.['SHUTDOWN_GRACE_SECONDS']) + spec.containers[0].lifecycle.preStop.sleep.seconds)
  }
  t.end()
})

test('the manifests name each other rightly, and no namespace', (t) => {
  const all = files.filter((name) => name.startsWith('kubernetes/')).flatMap((name) => documentsIn<Manifest>(name))
  t.strictSame([...new Set(all.map(({ kind }) => kind))].sort(), ['ConfigMap', 'Deployment', 'Ingress', 'PersistentVolumeClaim', 'PodDisruptionBudget', 'Secret', 'Service'])
  for (const { kind, metadata } of all) t.strictSame([metadata.name, metadata.namespace], ['upload-gateway', undefined], kind)
  const labels = { 'app.kubernetes.io/name': 'upload-gateway' }
  for (const { spec } of all.filter(({ kind }) => kind === 'Deployment')) {
    const { containers: [container], volumes, securityContext, topologySpreadConstraints } = spec.template.spec
    t.match(spec, { replicas: 3, selector: { matchLabels: labels }, template: { metadata: { labels } } })
    t.match(securityContext, { runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001 })
    t.match(container.securityContext, { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } })
    t.equal(topologySpreadConstraints.length, 2)
    t.strictSame(container.volumeMounts.map(({ name }) => name).sort(), volumes.map(({ name }) => name).sort())
    t.ok(container.volumeMounts.some(({ mountPath }) => mountPath === '/uploads'))
    t.match(container.envFrom, [{ configMapRef: { name: 'upload-gateway' } }, { secretRef: { name: 'upload-gateway' } }])
    for (const { name } of container.env) t.ok(settings.has(name), name)
  }
  t.match(all.find(({ kind }) => kind === 'PodDisruptionBudget'), { spec: { maxUnavailable: 1, selector: { matchLabels: labels } } })
  t.match(all.find(({ kind }) => kind === 'PersistentVolumeClaim'), { spec: { accessModes: ['ReadWriteMany'] } })
  t.end()
})

test('the two Deployments differ in where the bytes are, and in nothing else', (t) => {
  const [shared, store] = manifests('deployment', 'deployment-s3').map((deployment) => {
    const { volumes, containers: [container] } = deployment.spec.template.spec
    const mounts = container.volumeMounts
    container.volumeMounts = []
    deployment.spec.template.spec.volumes = []
    return { deployment, volumes, mounts }
  })
  t.strictSame(shared?.deployment, store?.deployment)
  t.match(shared?.volumes, [{ persistentVolumeClaim: { claimName: 'upload-gateway' } }, { emptyDir: {} }])
  t.match(store?.volumes, [{ emptyDir: {} }, { emptyDir: {} }])
  t.end()
})

test('health is asked where the gateway tells it, and what is routed to it is its own', async (t) => {
  const { app } = await build(t)
  const asked = [
    ...composeFiles.flatMap((name) => Object.entries(gatewayIn(name)?.labels ?? {}).filter(([label]) => label.endsWith('healthcheck.path')).map(([, path]) => path)),
    ...manifests('deployment', 'deployment-s3').flatMap(({ spec }) => [spec.template.spec.containers[0]].flatMap(({ startupProbe, livenessProbe, readinessProbe }) => [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path))),
  ]
  t.ok(asked.length >= 9)
  for (const path of new Set(asked)) t.equal((await app.inject(path)).statusCode, 200, path)
  const routed = [...new Set([...composeFiles.flatMap((name) => [...read(name).matchAll(/Path(?:Prefix)?\(`([^`]+)`\)/g)]), ...read('kubernetes/ingress.yaml').matchAll(/- \{ path: ([^,]+),/g)].map(([, path = '']) => path))]
  t.strictSame(routed.sort(), ['/api/', '/docs', '/i/', '/openapi.json', '/uploads/'])
})

test('the image starts the gateway with the options that npm start has', (t) => {
  const { scripts } = JSON.parse(read('../package.json')) as { scripts: { start: string } }
  const options = scripts.start.match(/--(?!require)\S+/g) ?? []
  t.ok(options.length > 0)
  t.match(read('Dockerfile'), `CMD ${JSON.stringify(['node', ...options, 'src/server.ts']).replaceAll(',', ', ')}\n`)
  t.end()
})

test('the image has the migrations of every database', (t) => {
  const dockerfile = read('Dockerfile')
  for (const path of ['prisma/migrations', 'prisma/postgresql/migrations']) {
    t.ok(readdirSync(new URL(`../${path}`, folder)).length > 0, path)
    t.match(dockerfile, `COPY ${path} ./${path}\n`, path)
  }
  t.end()
})
