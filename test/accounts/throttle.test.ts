import { mock } from 'node:test'
import t from 'tap'
import { createThrottle } from '../../src/accounts/throttle.ts'
import { networkOf } from '../../src/plugins/network.ts'

const limits = { perAccount: { points: 3, duration: 60 }, perNetwork: { points: 5, duration: 60 }, registrations: { points: 2, duration: 120 } }

t.beforeEach(() => mock.timers.enable({ apis: ['Date', 'setTimeout'] }))
t.afterEach(() => mock.timers.reset())

t.test('passwords of one account are tried a few times, then again when the time is over', async (t) => {
  const throttle = createThrottle(limits)
  for (let count = 0; count < 3; count++) await throttle.attempt('10.0.0.1', 'ada@x.org')
  mock.timers.tick(20_500)
  await t.rejects(throttle.attempt('10.0.0.1', 'ada@x.org'), { code: 'ATTEMPTS_EXCEEDED', statusCode: 429, headers: { 'Retry-After': '40' } })
  await throttle.attempt('10.0.0.1', 'grace@x.org')
  await throttle.attempt('10.0.0.2', 'ada@x.org')
  mock.timers.tick(39_600)
  await throttle.attempt('10.0.0.1', 'ada@x.org')
})

t.test('passwords of many accounts from one address are counted together', async (t) => {
  const throttle = createThrottle(limits)
  for (let count = 0; count < 5; count++) await throttle.attempt('10.0.0.1', `user-${count}@x.org`)
  await t.rejects(throttle.attempt('10.0.0.1', 'user-6@x.org'), { code: 'ATTEMPTS_EXCEEDED' })
})

t.test('attempts made at once all count', async (t) => {
  const throttle = createThrottle(limits)
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => throttle.attempt('10.0.0.1', 'ada@x.org')))
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, 3)
})

t.test('the right password clears what its account counted, and nothing of others', async (t) => {
  const throttle = createThrottle(limits)
  for (let round = 0; round < 20; round++) {
    await throttle.attempt('10.0.0.1', 'ada@x.org')
    await throttle.succeed('10.0.0.1', 'ada@x.org')
  }
  for (let count = 0; count < 3; count++) await throttle.attempt('10.0.0.1', 'grace@x.org')
  await throttle.attempt('10.0.0.1', 'ada@x.org')
  await throttle.succeed('10.0.0.1', 'ada@x.org')
  await t.rejects(throttle.attempt('10.0.0.1', 'grace@x.org'), { code: 'ATTEMPTS_EXCEEDED' })
})

t.test('sign-ups from one address are counted', async (t) => {
  const throttle = createThrottle(limits)
  await throttle.registration('10.0.0.1')
  await throttle.registration('10.0.0.1')
  await t.rejects(throttle.registration('10.0.0.1'), { code: 'ATTEMPTS_EXCEEDED', headers: { 'Retry-After': '120' } })
  await throttle.registration('10.0.0.2')
})

t.test('an IPv6 address counts as its network', async (t) => {
  t.equal(networkOf('203.0.113.9'), '203.0.113.9')
  t.equal(networkOf('2001:db8:0:1:aaaa::1'), networkOf('2001:0DB8::1:bbbb:0:0:2%eth0'))
  t.not(networkOf('2001:db8:0:1::1'), networkOf('2001:db8:0:2::1'))
  t.equal(networkOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2')
  t.equal(networkOf('::1'), '0:0:0:0')
  t.equal(networkOf('fe80::'), 'fe80:0:0:0')
  t.equal(networkOf('::ffff:203.0.113.9'), '203.0.113.9', 'an IPv4 address seen through IPv6')
  t.equal(networkOf('64:ff9b::203.0.113.9'), '64:ff9b:0:0')
})
