import { createApp } from 'vue'
import App from './App.vue'
import { startFeed } from './feed'
import { startLanguage } from './i18n'
import './styles/tokens.css'
import './styles/base.css'
import './styles/layout.css'
import './styles/charts.css'
import './styles/dashboard.css'
import { printStyles } from './styles/later'

// The figures travel while the language is fetched.
startFeed()
void startLanguage().then(() => {
  createApp(App).mount('#app')
  void printStyles()
})
