// The image library, with every loader switched off but those of the pictures we take, and set to hold and use little.
import sharp from 'sharp'

const loaders = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif']

sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({ operation: loaders.flatMap((name) => [`VipsForeignLoad${name}Buffer`, `VipsForeignLoad${name}File`]) })
sharp.concurrency(1)
sharp.cache(false)

export { sharp }
